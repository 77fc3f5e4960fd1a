//! Reads ELF files as loaders do. The format: [System V
//! ABI](https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html), and for versions [Symbol
//! Versioning](https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).

use std::collections::{BTreeMap, BTreeSet};

use object::elf::{self, Vernaux, Verneed, Versym};
use object::pod::{self, Pod};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, Sym};
use object::{Endianness, ReadRef};

use super::{Class, Machine, NativeLibrary, RequiredVersion, interface};

/// Most libraries that one library may require.
const MOST_NEEDED: usize = 1_024;
/// Most versions that one library may require: a symbol's version is a number of 15 bits.
const MOST_VERSIONS: usize = 1 << 15;
/// Longest name of a library, an interpreter or a version, in bytes.
const LONGEST_NAME: usize = 255;
/// Longest part of a symbol's name that is kept, in bytes. Names of C++ symbols may fill pages.
const LONGEST_SYMBOL: usize = 200;

/// Why a file is invalid.
pub(super) type Problem = &'static str;

/// Reads a file of one class.
pub(super) fn read<Elf: FileHeader<Endian = Endianness>>(
    path: &str,
    class: Class,
    bytes: &[u8],
) -> Result<Option<NativeLibrary>, Problem> {
    let header = Elf::parse(bytes).map_err(|_| "its header is cut off or malformed")?;
    let endian = header.endian().map_err(|_| "its byte order is unknown")?;
    match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => {}
        elf::ET_REL | elf::ET_CORE => return Ok(None),
        _ => return Err("it is neither a library nor an executable"),
    }
    let machine = match (header.e_machine(endian), endian) {
        (elf::EM_X86_64, Endianness::Little) => Machine::X86_64,
        (elf::EM_AARCH64, Endianness::Little) => Machine::Aarch64,
        (other, _) => Machine::Other(other.0),
    };
    let image = Image::<Elf>::new(header, endian, bytes)?;
    let dynamic = Dynamic::read(&image)?;
    Ok(Some(NativeLibrary {
        path: path.to_owned(),
        class,
        machine,
        soname: dynamic.soname()?,
        needed: dynamic.needed()?,
        versions: dynamic.versions(&image)?,
        interpreter: image.interpreter()?,
        is_module: dynamic.names_a_module(),
    }))
}

/// A file as a loader sees it: segments and addresses.
struct Image<'data, Elf: FileHeader> {
    endian: Endianness,
    bytes: &'data [u8],
    segments: &'data [Elf::ProgramHeader],
}

impl<'data, Elf: FileHeader<Endian = Endianness>> Image<'data, Elf> {
    fn new(header: &Elf, endian: Endianness, bytes: &'data [u8]) -> Result<Self, Problem> {
        let count = header.e_phnum(endian);
        let size = usize::from(header.e_phentsize(endian));
        if count > 0 && size != size_of::<Elf::ProgramHeader>() {
            return Err("its program headers have another size than the format's");
        }
        let mut offset = header.e_phoff(endian).into();
        let segments = bytes
            .read_slice(&mut offset, usize::from(count))
            .map_err(|()| "its program headers lie outside of the file")?;
        Ok(Self { endian, bytes, segments })
    }

    fn segment(&self, kind: elf::ProgramType) -> Option<&'data Elf::ProgramHeader> {
        self.segments.iter().find(|segment| segment.p_type(self.endian) == kind)
    }

    /// The content of a segment.
    fn content(&self, segment: &Elf::ProgramHeader) -> Result<&'data [u8], Problem> {
        let problem = "a segment lies outside of the file";
        segment.data(self.endian, self.bytes).map_err(|()| problem)
    }

    /// Returns the bytes from an address to the end of its segment.
    fn at(&self, address: u64) -> Result<&'data [u8], Problem> {
        let loaded = self.segments.iter().find_map(|segment| {
            if segment.p_type(self.endian) != elf::PT_LOAD {
                return None;
            }
            let below = address.checked_sub(segment.p_vaddr(self.endian).into())?;
            (below < segment.p_filesz(self.endian).into()).then_some((segment, below))
        });
        let (segment, below) =
            loaded.ok_or("its dynamic section points to an address that is not loaded")?;
        let content = self.content(segment)?;
        usize::try_from(below)
            .ok()
            .and_then(|below| content.get(below..))
            .ok_or("a segment lies outside of the file")
    }

    fn interpreter(&self) -> Result<Option<String>, Problem> {
        let Some(segment) = self.segment(elf::PT_INTERP) else { return Ok(None) };
        text(self.content(segment)?).map(|path| Some(path.to_owned()))
    }
}

/// Symbols, and the version number of each.
type SymbolTable<'data, Elf> = (&'data [<Elf as FileHeader>::Sym], &'data [Versym<Endianness>]);

/// The relevant entries of the dynamic section.
#[derive(Default)]
struct Dynamic<'data> {
    strings: &'data [u8],
    soname: Option<u64>,
    needed: Vec<u64>,
    symbols: Option<u64>,
    symbol_versions: Option<u64>,
    required_versions: Option<u64>,
    strings_at: u64,
}

impl<'data> Dynamic<'data> {
    fn read<Elf: FileHeader<Endian = Endianness>>(
        image: &Image<'data, Elf>,
    ) -> Result<Self, Problem> {
        let Some(segment) = image.segment(elf::PT_DYNAMIC) else { return Ok(Self::default()) };
        let content = image.content(segment)?;
        let entries: &[Elf::Dyn] = array(content).ok_or("its dynamic section is malformed")?;
        let mut dynamic = Self::default();
        let mut strings_size = 0;
        for entry in entries {
            let value: u64 = entry.d_val(image.endian).into();
            match entry.d_tag(image.endian) {
                elf::DT_NULL => break,
                elf::DT_SONAME => dynamic.soname = Some(value),
                elf::DT_NEEDED if dynamic.needed.len() == MOST_NEEDED => {
                    return Err("it requires more than 1024 libraries");
                }
                elf::DT_NEEDED => dynamic.needed.push(value),
                elf::DT_STRTAB => dynamic.strings_at = value,
                elf::DT_STRSZ => strings_size = value,
                elf::DT_SYMTAB => dynamic.symbols = Some(value),
                elf::DT_VERSYM => dynamic.symbol_versions = Some(value),
                elf::DT_VERNEED => dynamic.required_versions = Some(value),
                _ => {}
            }
        }
        if strings_size > 0 {
            dynamic.strings = usize::try_from(strings_size)
                .ok()
                .and_then(|size| image.at(dynamic.strings_at).ok()?.get(..size))
                .ok_or("its strings lie outside of what is loaded")?;
        }
        Ok(dynamic)
    }

    fn string(&self, offset: u64) -> Result<&'data [u8], Problem> {
        usize::try_from(offset)
            .ok()
            .and_then(|offset| self.strings.get(offset..))
            .ok_or("a name lies outside of its strings")
    }

    fn name(&self, offset: u64) -> Result<&'data str, Problem> {
        text(self.string(offset)?)
    }

    fn soname(&self) -> Result<Option<String>, Problem> {
        self.soname.map(|offset| self.name(offset).map(str::to_owned)).transpose()
    }

    fn needed(&self) -> Result<Vec<String>, Problem> {
        self.needed.iter().map(|offset| self.name(*offset).map(str::to_owned)).collect()
    }

    /// Whether the strings contain the name of a function that initializes a Python module. Looking
    /// for the function itself would need a table that stripped libraries may lack.
    fn names_a_module(&self) -> bool {
        const START: &[u8] = b"\0PyInit_";
        self.strings.windows(START.len()).any(|window| window == START)
    }

    fn versions<Elf: FileHeader<Endian = Endianness>>(
        &self,
        image: &Image<'data, Elf>,
    ) -> Result<Vec<RequiredVersion>, Problem> {
        // Of numbered versions the newest for each library and interface; of the others all.
        let mut numbered = BTreeMap::new();
        let mut others = BTreeMap::new();
        for (library, name, index) in self.all_versions(image)? {
            match interface(name) {
                Some((interface, Some(version))) => {
                    let newest =
                        numbered.entry((library, interface)).or_insert((version, name, index));
                    if newest.0 < version {
                        *newest = (version, name, index);
                    }
                }
                Some((_, None)) => {
                    others.insert((library, name), index);
                }
                None => {}
            }
        }
        let numbered =
            numbered.into_iter().map(|((library, _), (_, name, index))| (library, name, index));
        let others = others.into_iter().map(|((library, name), index)| (library, name, index));
        let required: Vec<_> = numbered.chain(others).collect();
        let symbols = self.symbols_of(image, required.iter().map(|(_, _, index)| *index).collect());
        let mut versions: Vec<RequiredVersion> = required
            .into_iter()
            .map(|(library, name, index)| RequiredVersion {
                name: name.to_owned(),
                library: library.to_owned(),
                symbol: symbols.get(&index).cloned(),
            })
            .collect();
        versions.sort_by(|a, b| (&a.library, &a.name).cmp(&(&b.library, &b.name)));
        Ok(versions)
    }

    /// Returns all required versions, with the numbers by which symbols refer to them.
    fn all_versions<Elf: FileHeader<Endian = Endianness>>(
        &self,
        image: &Image<'data, Elf>,
    ) -> Result<Vec<(&'data str, &'data str, u16)>, Problem> {
        const CUT: Problem = "its list of required versions is cut off";
        let Some(address) = self.required_versions else { return Ok(Vec::new()) };
        let (endian, mut versions) = (image.endian, Vec::new());
        let list = image.at(address)?;
        let (mut at, mut seen) = (0_u64, 0);
        loop {
            let library: &Verneed<Endianness> = list.read_at(at).map_err(|()| CUT)?;
            let file = self.name(library.vn_file.get(endian).into())?;
            let mut version_at = at + u64::from(library.vn_aux.get(endian));
            for _ in 0..library.vn_cnt.get(endian) {
                let version: &Vernaux<Endianness> = list.read_at(version_at).map_err(|()| CUT)?;
                seen += 1;
                // The lists may overlap, and so be longer than the file.
                if seen > MOST_VERSIONS {
                    return Err("it requires more versions than can exist");
                }
                if !version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK) {
                    let name = self.name(version.vna_name.get(endian).into())?;
                    versions.push((file, name, version.vna_other.get(endian).0));
                }
                version_at += u64::from(version.vna_next.get(endian));
            }
            seen += 1;
            match library.vn_next.get(endian) {
                0 => return Ok(versions),
                _ if seen > MOST_VERSIONS => {
                    return Err("it requires more versions than can exist");
                }
                next => at += u64::from(next),
            }
        }
    }

    /// Returns the first symbol of each of these versions. Symbols only serve to explain, so a
    /// malformed symbol table is not an error.
    fn symbols_of<Elf: FileHeader<Endian = Endianness>>(
        &self,
        image: &Image<'data, Elf>,
        mut wanted: BTreeSet<u16>,
    ) -> BTreeMap<u16, String> {
        let endian = image.endian;
        let mut found = BTreeMap::new();
        let (symbols, numbers) = self.symbol_table(image).unwrap_or_default();
        for (symbol, number) in symbols.iter().zip(numbers) {
            if wanted.is_empty() {
                break;
            }
            let version = number.0.get(endian).index().0;
            if symbol.st_shndx(endian) == elf::SHN_UNDEF && wanted.remove(&version) {
                let name = self.string(symbol.st_name(endian).into());
                found.extend(name.ok().map(|name| (version, shown(name))));
            }
        }
        found
    }

    /// Returns the dynamic symbols.
    fn symbol_table<Elf: FileHeader<Endian = Endianness>>(
        &self,
        image: &Image<'data, Elf>,
    ) -> Option<SymbolTable<'data, Elf>> {
        let address = self.symbols?;
        let mut symbols = image.at(address).ok()?;
        // The file does not state the length of the table; linkers put the strings after it.
        let size = self.strings_at.checked_sub(address).and_then(|size| size.try_into().ok());
        symbols = size.and_then(|size: usize| symbols.get(..size)).unwrap_or(symbols);
        let numbers = image.at(self.symbol_versions?).ok()?;
        Some((array(symbols)?, array(numbers)?))
    }
}

/// Interprets bytes as an array of values.
fn array<T: Pod>(bytes: &[u8]) -> Option<&[T]> {
    let (values, _) = pod::slice_from_bytes(bytes, bytes.len() / size_of::<T>()).ok()?;
    Some(values)
}

/// Returns a symbol's name, shortened if it is too long.
fn shown(name: &[u8]) -> String {
    let end = name.iter().take(LONGEST_SYMBOL).position(|byte| *byte == 0);
    let beginning = &name[..end.unwrap_or(LONGEST_SYMBOL.min(name.len()))];
    let ending = if end.is_some() { "" } else { "…" };
    let text = String::from_utf8_lossy(beginning).replace(char::is_control, "\u{fffd}");
    format!("{text}{ending}")
}

/// Returns the text before the next zero byte.
fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let bytes = bytes.get(..=LONGEST_NAME).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| *byte == 0).ok_or("a name has no end")?;
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a name is not UTF-8")?;
    // Names are shown to people.
    if text.contains(char::is_control) {
        return Err("a name has control characters");
    }
    Ok(text)
}
