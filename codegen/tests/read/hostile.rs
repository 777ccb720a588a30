//! HDF5 files that take far more memory than they have bytes, for a reader that believes them. Each is written here
//! byte by byte, since no library writes them.

use microception_codegen::read::{most_memory, read_bytes};
use serde_json::json;
use zip::CompressionMethod::Deflated;

use super::edit::pack;
use super::memory::peak;

const NOWHERE: u64 = u64::MAX;

/// Reads a file that is refused, and checks the peak of memory.
fn refused(bytes: &[u8]) -> String {
    let (outcome, peak) = peak(|| read_bytes(bytes, "hostile").map(|_| ()).map_err(|error| error.to_string()));
    assert!(peak <= most_memory(bytes.len()), "{peak} bytes for a file of {}: {outcome:?}", bytes.len());
    outcome.expect_err("it was read")
}

/// A file in the making, in the first version of the format: addresses and lengths of eight bytes.
struct File(Vec<u8>);

impl File {
    /// With room for what stands at the start.
    fn new() -> File {
        File(vec![0; 96])
    }

    /// Appends a piece; its address.
    fn put(&mut self, piece: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let address = self.0.len() as u64;
        self.0.extend_from_slice(piece);
        address
    }

    /// An object header that says to have `count` messages.
    fn header_of(&mut self, count: usize, messages: &[Vec<u8>]) -> u64 {
        let body = messages.concat();
        let mut header = vec![1, 0];
        header.extend((count as u16).to_le_bytes());
        header.extend(1u32.to_le_bytes());
        header.extend((body.len() as u32).to_le_bytes());
        header.extend([0; 4]);
        header.extend(body);
        self.put(&header)
    }

    fn header(&mut self, messages: &[Vec<u8>]) -> u64 {
        self.header_of(messages.len(), messages)
    }

    /// A node of a tree: a key in front of each address.
    fn tree(&mut self, kind: u8, entries: &[(Vec<u8>, u64)], last: &[u8]) -> u64 {
        let mut node = b"TREE".to_vec();
        node.extend([kind, 0]);
        node.extend((entries.len() as u16).to_le_bytes());
        node.extend([NOWHERE.to_le_bytes(), NOWHERE.to_le_bytes()].concat());
        for (key, address) in entries {
            node.extend(key);
            node.extend(address.to_le_bytes());
        }
        node.extend(last);
        self.put(&node)
    }

    /// The message of a group with these links: where in `names` each name begins, and its object.
    fn links(&mut self, names: &[u8], links: &[(u64, u64)]) -> Vec<u8> {
        let segment = self.put(names);
        let mut heap = b"HEAP\0\0\0\0".to_vec();
        heap.extend([(names.len() as u64).to_le_bytes(), 1u64.to_le_bytes(), segment.to_le_bytes()].concat());
        let heap = self.put(&heap);
        let tables: Vec<(Vec<u8>, u64)> = links
            .chunks(1000)
            .map(|links| {
                let mut table = b"SNOD\x01\0".to_vec();
                table.extend((links.len() as u16).to_le_bytes());
                for (name, object) in links {
                    table.extend([name.to_le_bytes(), object.to_le_bytes()].concat());
                    table.extend([0; 24]);
                }
                (vec![0; 8], self.put(&table))
            })
            .collect();
        let tree = self.tree(0, &tables, &[0; 8]);
        message(0x11, &[tree.to_le_bytes(), heap.to_le_bytes()].concat())
    }

    /// A group of a few objects.
    fn group(&mut self, members: &[(&str, u64)], mut messages: Vec<Vec<u8>>) -> u64 {
        let mut names = vec![0; 8];
        let links: Vec<(u64, u64)> = members
            .iter()
            .map(|(name, object)| {
                let start = names.len() as u64;
                names.extend(name.as_bytes());
                names.push(0);
                (start, *object)
            })
            .collect();
        messages.push(self.links(&names, &links));
        self.header(&messages)
    }

    /// The bytes, with the object at `root` as the root.
    fn bytes(mut self, root: u64) -> Vec<u8> {
        let mut start = b"\x89HDF\r\n\x1a\n".to_vec();
        start.extend([0, 0, 0, 0, 0, 8, 8, 0, 4, 0, 16, 0, 0, 0, 0, 0]);
        let end = self.0.len() as u64;
        for number in [0, NOWHERE, end, NOWHERE, 0, root, 0, 0, 0] {
            start.extend(number.to_le_bytes());
        }
        self.0[..96].copy_from_slice(&start);
        self.0
    }
}

/// A message of an object header.
fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let size = body.len().next_multiple_of(8);
    let mut message = kind.to_le_bytes().to_vec();
    message.extend((size as u16).to_le_bytes());
    message.extend([0; 4]);
    message.extend(body);
    message.resize(8 + size, 0);
    message
}

/// An attribute of one element of a type.
fn attribute(name: &str, datatype: &[u8], value: &[u8]) -> Vec<u8> {
    let padded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let name = format!("{name}\0");
    let mut body = vec![1, 0];
    for size in [name.len(), datatype.len(), 8] {
        body.extend((size as u16).to_le_bytes());
    }
    body.extend([padded(name.as_bytes()), padded(datatype), vec![1, 0, 0, 0, 0, 0, 0, 0], value.to_vec()].concat());
    message(0x0c, &body)
}

/// An attribute of one text.
fn text(name: &str, value: &str) -> Vec<u8> {
    let datatype = [&[0x13, 0, 0, 0][..], &(value.len() as u32).to_le_bytes()].concat();
    attribute(name, &datatype, value.as_bytes())
}

/// The architecture of one dense layer without bias, from one number to `units`.
fn architecture(units: usize) -> Vec<u8> {
    let layers = json!([
        {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [null, 1]}},
        {"class_name": "Dense", "config": {"name": "dense", "units": units, "use_bias": false, "activation": "linear"}},
    ]);
    let model = json!({"class_name": "Sequential", "config": {"name": "hostile", "layers": layers}});
    text("model_config", &model.to_string())
}

/// 32 bit floats.
fn float() -> Vec<u8> {
    let mut datatype = vec![0x11, 0x20, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23];
    datatype.extend(127u32.to_le_bytes());
    message(3, &datatype)
}

/// `bytes` zeros as a zlib stream.
fn deflated_zeros(bytes: usize) -> Vec<u8> {
    let archive = pack(&[("z", &vec![0; bytes])], Deflated);
    let number = |place: usize| u32::from_le_bytes(archive[place..place + 4].try_into().unwrap()) as usize;
    let directory = archive.windows(4).rposition(|signature| signature == b"PK\x01\x02").unwrap();
    let start = 31 + usize::from(archive[28]) + (usize::from(archive[29]) << 8);
    let mut stream = vec![0x78, 0x9c];
    stream.extend(&archive[start..start + number(directory + 20)]);
    // Adler's sum of zeros.
    let sum = ((bytes % 65521) as u32) << 16 | 1;
    stream.extend(sum.to_be_bytes());
    stream
}

/// A file whose dense layer has one array of `units` numbers in one chunk of `chunk`, if it is read so far.
fn chunked(units: usize, chunk: usize, filters: &[u16], stream: &[u8]) -> Vec<u8> {
    let mut file = File::new();
    let chunk_address = file.put(stream);
    let mut key = (stream.len() as u32).to_le_bytes().to_vec();
    key.extend([0; 4 + 3 * 8]);
    let tree = file.tree(1, &[(key.clone(), chunk_address)], &key);
    let extents = [[1, 2, 0, 0, 0, 0, 0, 0], 1u64.to_le_bytes(), (units as u64).to_le_bytes()].concat();
    let mut layout = vec![3, 2, 3];
    layout.extend(tree.to_le_bytes());
    for extent in [1, chunk as u32, 4] {
        layout.extend(extent.to_le_bytes());
    }
    let mut pipeline = vec![1, filters.len() as u8, 0, 0, 0, 0, 0, 0];
    for filter in filters {
        pipeline.extend(filter.to_le_bytes());
        pipeline.extend([0; 6]);
    }
    let messages = [message(1, &extents), float(), message(8, &layout), message(0x0b, &pipeline)];
    let kernel = file.header(&messages);
    let dense = file.group(&[("kernel:0", kernel)], vec![text("weight_names", "kernel:0")]);
    let root = file.group(&[("dense", dense)], vec![architecture(units)]);
    file.bytes(root)
}

/// What the others change is a file that is read.
#[test]
fn a_file_written_here_is_read() {
    let bytes = chunked(4, 4, &[1], &deflated_zeros(16));
    let graph = read_bytes(&bytes, "written").unwrap();
    assert_eq!(graph.layers.last().map(|layer| layer.name.as_str()), Some("dense"));
}

/// Room for as many messages as a header says to have.
#[test]
fn messages_that_are_not_there_take_nothing() {
    let mut file = File::new();
    let messages = [architecture(4)];
    let root = file.header_of(65_535, &messages);
    refused(&file.bytes(root));
}

/// One name that each of thousands of links begins a byte later in.
#[test]
fn names_that_overlap_do_not_multiply() {
    let mut file = File::new();
    let mut names = vec![b'n'; 40_000];
    names.push(0);
    let links: Vec<(u64, u64)> = (0..5_000).map(|start| (start, 96)).collect();
    let links = file.links(&names, &links);
    let root = file.header(&[architecture(4), links]);
    assert!(refused(&file.bytes(root)).contains("unpacks to more than 64 times its size"));
}

/// The same when the names look like another structure.
#[test]
fn names_in_disguise_do_not_multiply() {
    for front in [b"TREE", b"FHDB", b"SNOD", b"OCHK"] {
        let mut file = File::new();
        let mut names = front.to_vec();
        names.resize(40_000, b'n');
        names.push(0);
        let links: Vec<(u64, u64)> = (0..5_000).map(|start| (start, 96)).collect();
        let links = file.links(&names, &links);
        let root = file.header(&[architecture(4), links]);
        refused(&file.bytes(root));
    }
}

/// Where lengths are shorter, tables look different.
#[test]
fn lengths_of_four_bytes_are_refused() {
    let mut bytes = chunked(4, 4, &[1], &deflated_zeros(16));
    bytes[14] = 4;
    let message = refused(&bytes);
    assert!(message.contains("addresses of 8 bytes and lengths of 4, which Keras does not write"), "{message}");
}

/// Thousands of headers that continue in the same large block.
#[test]
fn headers_that_share_their_messages_do_not_multiply() {
    let mut file = File::new();
    let block = vec![message(0, &[]); 4_000].concat();
    let shared = file.put(&block);
    let continuation = message(0x10, &[shared.to_le_bytes(), (block.len() as u64).to_le_bytes()].concat());
    let mut names = vec![0; 8];
    let links: Vec<(u64, u64)> = (0..2_000)
        .map(|index| {
            let start = names.len() as u64;
            names.extend(format!("{index}\0").bytes());
            (start, file.header(std::slice::from_ref(&continuation)))
        })
        .collect();
    let links = file.links(&names, &links);
    let dense = file.header(&[links]);
    let root = file.group(&[("dense", dense)], vec![architecture(4)]);
    assert!(refused(&file.bytes(root)).contains("unpacks to more than 64 times its size"));
}

/// Types in types, each with room for as many members as it says to have.
#[test]
fn types_of_types_do_not_multiply() {
    let mut datatype = Vec::new();
    for _ in 0..30 {
        // A compound of 65,535 members; the name and the place of the first.
        datatype.extend([0x36, 0xff, 0xff, 0, 1, 0, 0, 0, b'm', 0, 0]);
    }
    let mut file = File::new();
    let root = file.header(&[architecture(4), attribute("compound", &datatype, &[0])]);
    assert!(refused(&file.bytes(root)).contains("a type made of others, which Keras does not write"));
}

/// A type with as many names as it says to have.
#[test]
fn names_that_are_not_there_take_nothing() {
    let mut datatype = vec![0x38, 0xff, 0xff, 0, 1, 0, 0, 0];
    datatype.extend([0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0]);
    let mut file = File::new();
    let root = file.header(&[architecture(4), attribute("enumeration", &datatype, &[0])]);
    assert!(refused(&file.bytes(root)).contains("a type with more names than it has bytes"));
}

/// A small array in a chunk as large as all that the file may unpack to, which is there twice when it is unshuffled.
#[test]
fn chunks_larger_than_their_arrays_take_nothing() {
    let chunk = 15 << 20;
    let mut stream = deflated_zeros(4 * chunk);
    stream.resize(1 << 20, 0);
    assert!(refused(&chunked(4, chunk, &[2, 1], &stream)).contains("unpacks to more than 64 times its size"));
}

/// Filters behind one another, of which the first to be undone has no bound that follows from the chunk; and those
/// that make room for what the file says to be their size.
#[test]
fn filters_without_bounds_are_errors() {
    for filter in [4, 5, 6, 32_000] {
        for filters in [&[filter, 1][..], &[filter]] {
            let message = refused(&chunked(4, 4, filters, &deflated_zeros(64 << 20)));
            assert!(message.contains(&format!("is compressed by filter {filter}; supported are gzip")), "{message}");
        }
    }
}
