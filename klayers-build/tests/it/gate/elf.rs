//! Writes small 64-bit little-endian ELF files with the parts that a loader reads.

/// The load address. It is not zero, so that addresses differ from offsets.
const BASE: u64 = 0x40_0000;

/// A library or an executable to write.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    pub(crate) machine: u16,
    pub(crate) kind: u16,
    pub(crate) soname: Option<&'static str>,
    pub(crate) needed: Vec<&'static str>,
    pub(crate) versions: Vec<Required>,
    pub(crate) interpreter: Option<&'static str>,
}

/// A required version, with a symbol that has it.
#[derive(Clone, Debug)]
pub(crate) struct Required {
    pub(crate) library: &'static str,
    pub(crate) name: &'static str,
    pub(crate) symbol: Option<&'static str>,
    pub(crate) weak: bool,
}

/// A required version.
pub(crate) fn required(
    library: &'static str,
    name: &'static str,
    symbol: &'static str,
) -> Required {
    Required { library, name, symbol: Some(symbol), weak: false }
}

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const LIBRARY: u16 = 3;

impl Default for Elf {
    fn default() -> Self {
        Self {
            machine: X86_64,
            kind: LIBRARY,
            soname: None,
            needed: Vec::new(),
            versions: Vec::new(),
            interpreter: None,
        }
    }
}

/// The string table of a file.
#[derive(Default)]
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u32 {
        let at = u32::try_from(self.0.len()).unwrap();
        self.0.extend(text.bytes().chain([0]));
        at
    }
}

impl Elf {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut strings = Strings(vec![0]);
        let mut dynamic: Vec<(u64, u64)> = Vec::new();
        dynamic.extend(self.needed.iter().map(|name| (1, strings.add(name).into())));
        dynamic.extend(self.soname.map(|name| (14, strings.add(name).into())));

        let mut symbols = vec![0; 24];
        let mut symbol_versions = vec![0, 0];
        let mut required = Vec::new();
        for (number, version) in self.versions.iter().enumerate() {
            let index = u16::try_from(number + 2).unwrap();
            if let Some(symbol) = version.symbol {
                symbols.extend(strings.add(symbol).to_le_bytes());
                symbols.extend([0x12, 0].into_iter().chain([0; 18]));
                symbol_versions.extend(index.to_le_bytes());
            }
            let last = number + 1 == self.versions.len();
            required.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
            let library = [strings.add(version.library), 16, if last { 0 } else { 32 }];
            required.extend(library.into_iter().flat_map(u32::to_le_bytes));
            required.extend(0_u32.to_le_bytes());
            required.extend(
                [u16::from(version.weak) * 2, index].into_iter().flat_map(u16::to_le_bytes),
            );
            required.extend([strings.add(version.name), 0].into_iter().flat_map(u32::to_le_bytes));
        }

        let headers = 64 + 56 * (2 + usize::from(self.interpreter.is_some()));
        let mut body: Vec<u8> = Vec::new();
        let mut place = |content: &[u8]| {
            let at = headers + body.len();
            body.extend(content);
            u64::try_from(at).unwrap()
        };
        if !self.versions.is_empty() {
            dynamic.push((6, BASE + place(&symbols)));
        }
        dynamic.push((5, BASE + place(&strings.0)));
        dynamic.push((10, strings.0.len() as u64));
        if !self.versions.is_empty() {
            dynamic.push((0x6fff_fff0, BASE + place(&symbol_versions)));
            dynamic.push((0x6fff_fffe, BASE + place(&required)));
            dynamic.push((0x6fff_ffff, self.versions.len() as u64));
        }
        dynamic.push((0, 0));
        let interpreter = self.interpreter.map(|path| {
            let text = format!("{path}\0");
            (place(text.as_bytes()), text.len() as u64)
        });
        let dynamic: Vec<u8> = dynamic
            .iter()
            .flat_map(|(tag, value)| [*tag, *value])
            .flat_map(u64::to_le_bytes)
            .collect();
        let dynamic_at = place(&dynamic);

        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([self.kind, self.machine].into_iter().flat_map(u16::to_le_bytes));
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend([0_u64, 64, 0].into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(0_u32.to_le_bytes());
        let count = if interpreter.is_some() { 3 } else { 2 };
        bytes.extend([64_u16, 56, count, 64, 0, 0].into_iter().flat_map(u16::to_le_bytes));
        let whole = (headers + body.len()) as u64;
        let mut segment = |kind: u32, at: u64, size: u64| {
            bytes.extend([kind, 4].into_iter().flat_map(u32::to_le_bytes));
            bytes.extend(
                [at, BASE + at, BASE + at, size, size, 8].into_iter().flat_map(u64::to_le_bytes),
            );
        };
        segment(1, 0, whole);
        segment(2, dynamic_at, dynamic.len() as u64);
        if let Some((at, size)) = interpreter {
            segment(3, at, size);
        }
        bytes.extend(body);
        bytes
    }
}
