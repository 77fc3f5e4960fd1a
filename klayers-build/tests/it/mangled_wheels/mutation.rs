use crate::support::random::Random;

/// A way to change a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mutation {
    FlipBit,
    /// A byte becomes a typical boundary value.
    SetByte,
    /// A number of a header grows or shrinks a little.
    ChangeField,
    Truncate,
    Remove,
    Duplicate,
    Swap,
    /// A header, or a part of it, is copied over another, perhaps from another wheel.
    SpliceHeader,
    /// A header, or a part of it, is inserted.
    InsertHeader,
    InsertZeros,
}

impl Mutation {
    const ALL: [Self; 10] = [
        Self::FlipBit,
        Self::SetByte,
        Self::ChangeField,
        Self::Truncate,
        Self::Remove,
        Self::Duplicate,
        Self::Swap,
        Self::SpliceHeader,
        Self::InsertHeader,
        Self::InsertZeros,
    ];
    /// Size of the longest fixed part of a header, that of a ZIP64 end record, in bytes.
    const LONGEST_HEADER: usize = 56;

    /// Chooses a mutation; small ones are more frequent.
    pub(super) fn random(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::FlipBit,
            1 => Self::ChangeField,
            _ => *random.pick(&Self::ALL),
        }
    }

    /// Changes a file, possibly with parts of other files.
    pub(super) fn apply(self, bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
        if bytes.len() < 64 {
            return;
        }
        match self {
            Self::FlipBit => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            Self::SetByte => {
                let at = random.below(bytes.len());
                bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff, random.clone().byte()]);
            }
            Self::ChangeField => {
                let at = header(bytes, random) + random.below(Self::LONGEST_HEADER);
                let by = *random.pick(&[1, 2, 4, 8, 0x20, 0x80, 0xff, 0xfe]);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add(by);
                }
            }
            Self::Truncate => bytes.truncate(random.below(bytes.len())),
            Self::Remove => {
                let (start, end) = range(bytes, random);
                bytes.drain(start..end);
            }
            Self::Duplicate => {
                let (start, end) = range(bytes, random);
                let copied = bytes[start..end].to_vec();
                let at = random.below(bytes.len());
                bytes.splice(at..at, copied);
            }
            Self::Swap => {
                let length = 1 + random.below(bytes.len() / 4);
                let first = random.below(bytes.len() - 2 * length);
                let second = first + length + random.below(bytes.len() - first - 2 * length + 1);
                let (front, back) = bytes.split_at_mut(second);
                front[first..first + length].swap_with_slice(&mut back[..length]);
            }
            Self::SpliceHeader => {
                let part = part_of_header(others, random);
                let at = header(bytes, random);
                let end = (at + part.len()).min(bytes.len());
                bytes.splice(at..end, part);
            }
            Self::InsertHeader => {
                let part = part_of_header(others, random);
                let at = header(bytes, random);
                bytes.splice(at..at, part);
            }
            Self::InsertZeros => {
                let at = random.below(bytes.len());
                bytes.splice(at..at, vec![0; 1 + random.below(64)]);
            }
        }
    }
}

/// A range, short in most cases.
fn range(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let start = random.below(bytes.len());
    let longest = if random.below(4) == 0 { bytes.len() } else { 64 };
    (start, (start + 1 + random.below(longest)).min(bytes.len()))
}

/// The position of a random header.
fn header(bytes: &[u8], random: &mut Random) -> usize {
    let headers: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, four)| four.starts_with(b"PK") && four[2] < 9 && four[3] < 9)
        .map(|(at, _)| at)
        .collect();
    if headers.is_empty() { 0 } else { *random.pick(&headers) }
}

/// The beginning of a random header of one of the files.
fn part_of_header(others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let other = random.pick(others);
    let at = header(other, random);
    let end = (at + 1 + random.below(Mutation::LONGEST_HEADER)).min(other.len());
    other[at..end].to_vec()
}
