//! Bytecode as CPython's `marshal` writes it, in a form that depends on the code alone.
//!
//! What `marshal.dumps` gives depends on the past of the process, too. Whether an object is marked
//! as one that may be referred to depends on how many references to it the process happens to hold;
//! whether a string of one character is marked as interned, on whether another file had it as a
//! name; the order of a set, up to Python 3.10, on addresses; whether two equal sets are one object,
//! in Python 3.12, on what was compiled before. So the code is read as a tree and written anew:
//! marked is what is referred to, interned are all strings of at most one character, of which there
//! is one object each in any case, the members of a set are sorted, and equal constants are one
//! object, as the compiler means them to be. Python loads equal code of it.
//!
//! The format has no specification but `Python/marshal.c`. Only what constants and code consist of
//! is known here.

use std::collections::HashMap;

mod writer;

/// The mark on an object's type: it may be referred to.
const REFERRED: u8 = 0x80;
/// The deepest nesting that CPython loads.
const DEEPEST: usize = 2_000;
/// The numbers that code begins with, in bytes: up to Python 3.10 there was that of the locals.
const NUMBERS: [usize; 2] = [24, 20];
/// The objects of code that stand before and after the number of its first line, and which of them
/// is the name of its file.
const OBJECTS: [(usize, usize, usize); 2] = [(8, 1, 6), (8, 2, 5)];

/// What is wrong with something that is said to be bytecode.
pub(super) type Malformed = &'static str;

/// How the parts of code are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Layout {
    /// Up to Python 3.10.
    Until310,
    /// Since Python 3.11.
    Since311,
}

/// Brings code into its one form, if it is that of a file of this name and nothing else.
pub(super) fn canonical(
    marshalled: &[u8],
    layout: Layout,
    file_name: &str,
) -> Result<Vec<u8>, Malformed> {
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
        return Err("something stands behind it");
    }
    let nodes = reader.nodes;
    match nodes[root] {
        Node::Code { .. } => Ok(writer::write(&nodes, root)),
        _ => Err("it is no code"),
    }
}

/// An object: its type, what it holds, and the numbers of the objects in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Node<'a> {
    /// None, a number, a string: something without objects in it.
    Plain { kind: u8, content: &'a [u8] },
    /// A tuple or a slice.
    Sequence { kind: u8, objects: Vec<usize> },
    /// A frozen set, sorted.
    Set { objects: Vec<usize> },
    /// Code.
    Code { numbers: &'a [u8], before: Vec<usize>, first_line: &'a [u8], after: Vec<usize> },
}

struct Reader<'a> {
    left: &'a [u8],
    layout: Layout,
    file_name: &'a str,
    nodes: Vec<Node<'a>>,
    /// The numbers of the constants.
    equal: HashMap<Node<'a>, usize>,
    /// The objects that were marked, in their order; none while one is being read.
    referred: Vec<Option<usize>>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self.left.split_at_checked(length).ok_or("it is cut off")?;
        self.left = left;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    /// A length of four bytes.
    fn length(&mut self) -> Result<usize, Malformed> {
        let bytes = self.take(4)?.try_into().map_err(|_| "it is cut off")?;
        usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| "a length is negative")
    }

    /// Reads an object; gives its number.
    fn object(&mut self, depth: usize) -> Result<usize, Malformed> {
        if depth > DEEPEST {
            return Err("it is nested too deeply");
        }
        let mark = self.byte()?;
        let kind = mark & !REFERRED;
        if kind == b'r' {
            let number = self.length()?;
            let object = self.referred.get(number).copied().flatten();
            return object.ok_or("it refers to what is not there");
        }
        let place = (mark != kind && !is_single(kind)).then(|| {
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

    /// The number of an object: that of an equal one, if there is one already. Floating-point
    /// numbers keep theirs, since one that is not a number is equal to itself alone.
    fn numbered(&mut self, node: Node<'a>) -> usize {
        let next = self.nodes.len();
        let apart = match node {
            Node::Plain { kind, .. } => matches!(kind, b'g' | b'y') || is_single(kind),
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

    fn node(&mut self, kind: u8, depth: usize) -> Result<Node<'a>, Malformed> {
        let whole = self.left;
        let plain = match kind {
            _ if is_single(kind) => 0,
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
            _ => return Err("it holds an object of a type that is not known"),
        };
        self.take(plain)?;
        Ok(interned(kind, &whole[..whole.len() - self.left.len()]))
    }

    fn objects(&mut self, count: usize, depth: usize) -> Result<Vec<usize>, Malformed> {
        // Each takes a byte at least, so that a lie about their number is found out in time.
        if count > self.left.len() {
            return Err("it is cut off");
        }
        (0..count).map(|_| self.object(depth + 1)).collect()
    }

    fn code(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        let layout = self.layout as usize;
        let (before, after, file_name) = OBJECTS[layout];
        let numbers = self.take(NUMBERS[layout])?;
        let before = self.objects(before, depth)?;
        match self.nodes[before[file_name]] {
            Node::Plain { kind: b'z' | b'Z', content: [_, name @ ..] }
            | Node::Plain { kind: b't' | b'u' | b'a' | b'A', content: [_, _, _, _, name @ ..] }
                if name == self.file_name.as_bytes() => {}
            _ => return Err("it is that of another file"),
        }
        let first_line = self.take(4)?;
        let after = self.objects(after, depth)?;
        Ok(Node::Code { numbers, before, first_line, after })
    }
}

/// Whether it is `None`, a truth value, or another that is there once and is never referred to by
/// number: marked or not, CPython gives it none.
fn is_single(kind: u8) -> bool {
    matches!(kind, b'N' | b'T' | b'F' | b'.' | b'S')
}

/// Of a string of at most one character in Latin-1 a process has one object, which was interned
/// by this file or by another one.
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
