//! The best classes of an output.

use heapless::Vec;

/// One class of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Class<'a, T> {
    /// Its place in the output.
    pub index: usize,
    /// Its label; empty when the model names none.
    pub label: &'a str,
    /// What the output says of it: a probability in f32, a stored value in int8.
    pub score: T,
}

/// The `K` classes with the greatest scores, the best first; of equal scores the one with the
/// smaller index first. Fewer when the output is shorter.
///
/// ```
/// use microception::top::top;
/// let best = top::<2, i8>(&[-128, 90, -100, 10], &["cat", "dog", "frog", "ship"]);
/// assert_eq!(best.iter().map(|class| class.label).collect::<Vec<_>>(), ["dog", "ship"]);
/// assert_eq!(best[0].score, 90);
/// ```
pub fn top<'a, const K: usize, T: Copy + PartialOrd>(output: &[T], labels: &[&'a str]) -> Vec<Class<'a, T>, K> {
    let mut best: Vec<Class<'a, T>, K> = Vec::new();
    for (index, &score) in output.iter().enumerate() {
        let place = best.iter().position(|class| score > class.score).unwrap_or(best.len());
        if place < K {
            if best.is_full() {
                best.pop();
            }
            let label = labels.get(index).copied().unwrap_or("");
            // There is room: the worst was taken out.
            let _ = best.insert(place, Class { index, label, score });
        }
    }
    best
}
