use std::collections::BTreeMap;

use klayers_core::Digest;

use crate::wheel::Wheel;

mod content;
mod framing;
mod headers;
mod identity;
mod layout;
mod names;
mod record;
mod zip64;
mod zip64_repeated;

/// A wheel and the expected verdict.
#[derive(Clone, Debug)]
pub struct Case {
    /// The number of the rule that it tests.
    pub number: u8,
    /// A short description of what is unusual.
    pub name: &'static str,
    /// The file name.
    pub filename: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The files that `RECORD` lists, with their SHA-256.
    pub listed: BTreeMap<String, Digest>,
    /// Number of bytes that a trusting unpacker would write.
    pub unpacked: u64,
    /// The expected verdict.
    pub verdict: Verdict,
}

/// The expected verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The wheel is accepted.
    Accepted,
    /// The wheel is accepted, with a notice that contains this text.
    Noticed(&'static str),
    /// The wheel is refused, for a reason that contains this text.
    Refused(&'static str),
}

/// All wheels, sorted by number.
pub fn cases() -> Vec<Case> {
    let mut cases = [
        framing::cases(),
        headers::cases(),
        zip64::cases(),
        zip64_repeated::cases(),
        content::cases(),
        names::cases(),
        record::cases(),
        identity::cases(),
        layout::cases(),
    ]
    .concat();
    cases.sort_by_key(|case| case.number);
    cases
}

impl Case {
    fn new(number: u8, name: &'static str, wheel: &Wheel, verdict: Verdict) -> Self {
        Self::of_bytes(number, name, wheel, wheel.bytes(), verdict)
    }

    /// A wheel whose bytes were changed after it was made.
    fn of_bytes(
        number: u8,
        name: &'static str,
        wheel: &Wheel,
        bytes: Vec<u8>,
        verdict: Verdict,
    ) -> Self {
        let entries = &wheel.zip.entries;
        Self {
            number,
            name,
            filename: wheel.filename.clone(),
            bytes,
            listed: wheel.listed(),
            unpacked: entries.iter().filter_map(|entry| Some(entry.listed?.1)).sum(),
            verdict,
        }
    }
}

fn accepted(number: u8, name: &'static str, wheel: &Wheel) -> Case {
    Case::new(number, name, wheel, Verdict::Accepted)
}

fn noticed(number: u8, name: &'static str, wheel: &Wheel, notice: &'static str) -> Case {
    Case::new(number, name, wheel, Verdict::Noticed(notice))
}

fn refused(number: u8, name: &'static str, wheel: &Wheel, rule: &'static str) -> Case {
    Case::new(number, name, wheel, Verdict::Refused(rule))
}
