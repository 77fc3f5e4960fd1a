//! Brings the output of CPython's `marshal` into a canonical form that depends only on the code.
//!
//! The output of `marshal.dumps` also depends on the history of the process:
//!
//! - An object's reference flag depends on how many references to the object the process holds.
//! - The interned flag of a one-character string depends on whether another file used it as a name.
//! - Up to Python 3.10, the order of a set depends on addresses.
//! - In Python 3.12, whether two equal sets are one object depends on what was compiled before.
//!
//! So the code is parsed into a tree and written again. Objects have the reference flag if
//! something refers to them. Strings of at most one character are interned; each exists only once
//! in a process anyway. Members of sets are sorted. Equal constants become one object, as the
//! compiler intends. Python loads equal code from the result.
//!
//! The only specification of the format is `Python/marshal.c`. This module only knows the types
//! that occur in constants and code.

use std::collections::HashMap;

mod writer;

/// The reference flag in an object's type byte: the object can be referred to.
const REFERENCE_FLAG: u8 = 0x80;
/// Nesting limit when CPython loads marshalled objects.
const MAX_DEPTH: usize = 2_000;
/// Size of the integers at the start of a code object, in bytes, by layout. Up to Python 3.10 they
/// include the number of locals.
const INTEGERS: [usize; 2] = [24, 20];
/// By layout: the number of objects in a code object before and after its first line number, and
/// the index of the file name among those before.
const OBJECTS: [(usize, usize, usize); 2] = [(8, 1, 6), (8, 2, 5)];

/// Why bytes are not valid bytecode.
pub(super) type MalformedReason = &'static str;

/// The layout of a code object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    /// Up to Python 3.10.
    Until310,
    /// Since Python 3.11.
    Since311,
}

/// Returns the canonical form of code. Fails if it is not the code of a file of this name, or if
/// other bytes follow.
pub(super) fn canonical(
    marshalled: &[u8],
    layout: Layout,
    file_name: &str,
) -> Result<Vec<u8>, MalformedReason> {
    let mut reader = Reader {
        left: marshalled,
        layout,
        file_name,
        nodes: Vec::new(),
        equal: HashMap::new(),
        referred: Vec::new(),
    };
    let root = reader.object(0)?;
    if !reader.left.is_empty() {
        return Err("other bytes follow it");
    }
    let nodes = reader.nodes;
    match nodes[root] {
        Node::Code { .. } => Ok(writer::write(&nodes, root)),
        _ => Err("it is not code"),
    }
}

/// An object: its type, its content, and the indices of the objects in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Node<'a> {
    /// An object without objects in it, such as None, a number or a string.
    Plain { kind: u8, content: &'a [u8] },
    /// A tuple or a slice.
    Sequence { kind: u8, objects: Vec<usize> },
    /// A frozen set, with its members sorted.
    Set { objects: Vec<usize> },
    /// A code object.
    Code { numbers: &'a [u8], before: Vec<usize>, first_line: &'a [u8], after: Vec<usize> },
}

struct Reader<'a> {
    left: &'a [u8],
    layout: Layout,
    file_name: &'a str,
    nodes: Vec<Node<'a>>,
    /// The indices of constants, for finding equal ones.
    equal: HashMap<Node<'a>, usize>,
    /// The objects with the reference flag, in order. None while an object is being read.
    referred: Vec<Option<usize>>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedReason> {
        let (taken, left) = self.left.split_at_checked(length).ok_or("it is cut off")?;
        self.left = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, MalformedReason> {
        Ok(self.take(1)?[0])
    }

    /// A length of four bytes.
    fn length(&mut self) -> Result<usize, MalformedReason> {
        let bytes = self.take(4)?.try_into().map_err(|_| "it is cut off")?;
        usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| "a length is negative")
    }

    /// Reads an object and returns its index.
    fn object(&mut self, depth: usize) -> Result<usize, MalformedReason> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        let mark = self.byte()?;
        let kind = mark & !REFERENCE_FLAG;
        if kind == b'r' {
            let number = self.length()?;
            let object = self.referred.get(number).copied().flatten();
            return object.ok_or("it refers to an object that does not exist");
        }
        let place = (mark != kind && !is_singleton(kind)).then(|| {
            self.referred.push(None);
            self.referred.len() - 1
        });
        let node = self.node(kind, depth)?;
        let object = self.numbered(node);
        if let Some(place) = place {
            self.referred[place] = Some(object);
        }
        Ok(object)
    }

    /// Adds an object and returns its index. An equal constant is reused. Floating-point numbers
    /// are never merged, since NaN objects are only equal to themselves.
    fn numbered(&mut self, node: Node<'a>) -> usize {
        let next = self.nodes.len();
        let apart = match node {
            Node::Plain { kind, .. } => matches!(kind, b'g' | b'y') || is_singleton(kind),
            Node::Code { .. } => true,
            Node::Sequence { .. } | Node::Set { .. } => false,
        };
        if !apart {
            let number = *self.equal.entry(node.clone()).or_insert(next);
            if number != next {
                return number;
            }
        }
        self.nodes.push(node);
        next
    }

    fn node(&mut self, kind: u8, depth: usize) -> Result<Node<'a>, MalformedReason> {
        let whole = self.left;
        let plain = match kind {
            _ if is_singleton(kind) => 0,
            b'i' => 4,
            b'g' => 8,
            b'y' => 16,
            b'l' => {
                let bytes = self.take(4)?.try_into().map_err(|_| "it is cut off")?;
                let digits = i32::from_le_bytes(bytes).unsigned_abs();
                usize::try_from(digits).map_err(|_| "a number is too long")?.saturating_mul(2)
            }
            b's' | b't' | b'u' | b'a' | b'A' => self.length()?,
            b'z' | b'Z' => usize::from(self.byte()?),
            b'(' => {
                let count = self.length()?;
                return Ok(Node::Sequence { kind: b'(', objects: self.objects(count, depth)? });
            }
            b')' => {
                let count = usize::from(self.byte()?);
                return Ok(Node::Sequence { kind: b'(', objects: self.objects(count, depth)? });
            }
            b':' => return Ok(Node::Sequence { kind, objects: self.objects(3, depth)? }),
            b'>' => {
                let count = self.length()?;
                let mut objects = self.objects(count, depth)?;
                objects.sort_by_cached_key(|object| writer::write(&self.nodes, *object));
                return Ok(Node::Set { objects });
            }
            b'c' => return self.code(depth),
            _ => return Err("it holds an object of an unknown type"),
        };
        self.take(plain)?;
        Ok(interned(kind, &whole[..whole.len() - self.left.len()]))
    }

    fn objects(&mut self, count: usize, depth: usize) -> Result<Vec<usize>, MalformedReason> {
        // Each object takes at least one byte, so a false count is detected before allocation.
        if count > self.left.len() {
            return Err("it is cut off");
        }
        (0..count).map(|_| self.object(depth + 1)).collect()
    }

    fn code(&mut self, depth: usize) -> Result<Node<'a>, MalformedReason> {
        let layout = self.layout as usize;
        let (before, after, file_name) = OBJECTS[layout];
        let numbers = self.take(INTEGERS[layout])?;
        let before = self.objects(before, depth)?;
        match self.nodes[before[file_name]] {
            Node::Plain { kind: b'z' | b'Z', content: [_, name @ ..] }
            | Node::Plain { kind: b't' | b'u' | b'a' | b'A', content: [_, _, _, _, name @ ..] }
                if name == self.file_name.as_bytes() => {}
            _ => return Err("it is the code of another file"),
        }
        let first_line = self.take(4)?;
        let after = self.objects(after, depth)?;
        Ok(Node::Code { numbers, before, first_line, after })
    }
}

/// Whether a type is a singleton such as `None` or a Boolean. CPython never counts singletons among
/// the objects that can be referred to, whatever their reference flag.
fn is_singleton(kind: u8) -> bool {
    matches!(kind, b'N' | b'T' | b'F' | b'.' | b'S')
}

/// Marks strings of at most one Latin-1 character as interned. A process has one object for each,
/// which may have been interned by any file.
fn interned(kind: u8, content: &[u8]) -> Node<'_> {
    let kind = match (kind, content) {
        (b'z', [0] | [1, _]) => b'Z',
        (b'u', [0, 0, 0, 0] | [2, 0, 0, 0, 0xc2 | 0xc3, _]) => b't',
        _ => kind,
    };
    Node::Plain { kind, content }
}

#[cfg(test)]
mod tests;
