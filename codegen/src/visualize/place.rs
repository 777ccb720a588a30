//! The extents of a picture, or of a series as one of a single row.

use crate::error::Error;
use crate::graph::Shape;
use crate::visualize::network::Network;

/// Height, width and channels of what a network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Place {
    /// Of the network's one input.
    pub(super) fn of(network: &Network) -> Result<Place, Error> {
        if network.inputs() != 1 {
            let reason = format!("has {} inputs: only of a model with one there are such pictures", network.inputs());
            return Err(Error::model(reason));
        }
        match network.shape(0).0[..] {
            [height, width, channels] => Ok(Place { height, width, channels }),
            [width, channels] => Ok(Place { height: 1, width, channels }),
            _ => {
                let reason = format!("takes {}, which is neither a picture nor a series", network.shape(0));
                Err(Error::layer(network.name(0), reason))
            }
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.height * self.width * self.channels
    }

    pub(super) fn shape(&self) -> Shape {
        Shape(vec![self.height, self.width, self.channels])
    }
}
