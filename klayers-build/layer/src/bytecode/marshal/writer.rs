use std::collections::BTreeMap;

use super::{Node, REFERENCE_FLAG};

/// Writes an object and all objects in it. An object that occurs more than once is written with the
/// reference flag the first time and as a reference after that.
pub(super) fn write(nodes: &[Node<'_>], root: usize) -> Vec<u8> {
    let mut occurrences = BTreeMap::new();
    count(nodes, root, &mut occurrences);
    let mut writer = Writer { nodes, occurrences, marked: 0, out: Vec::new() };
    writer.object(root);
    writer.out
}

fn count(nodes: &[Node<'_>], object: usize, occurrences: &mut BTreeMap<usize, Occurrence>) {
    let occurrence = occurrences.entry(object).or_insert(Occurrence::None);
    *occurrence = match occurrence {
        Occurrence::None => Occurrence::One,
        _ => Occurrence::Several,
    };
    if *occurrence == Occurrence::One {
        match &nodes[object] {
            Node::Plain { .. } => {}
            Node::Sequence { objects, .. } | Node::Set { objects } => {
                for inner in objects {
                    count(nodes, *inner, occurrences);
                }
            }
            Node::Code { before, after, .. } => {
                for inner in before.iter().chain(after) {
                    count(nodes, *inner, occurrences);
                }
            }
        }
    }
}

/// How often an object occurs, or the number for references to it once it is written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Occurrence {
    None,
    One,
    Several,
    Written(u32),
}

struct Writer<'a> {
    nodes: &'a [Node<'a>],
    occurrences: BTreeMap<usize, Occurrence>,
    /// Number of objects written with the reference flag so far.
    marked: u32,
    out: Vec<u8>,
}

impl Writer<'_> {
    fn object(&mut self, object: usize) {
        let mut mark = 0;
        match self.occurrences.get_mut(&object) {
            Some(Occurrence::Written(number)) => {
                self.out.push(b'r');
                self.out.extend(number.to_le_bytes());
                return;
            }
            Some(occurrence) if *occurrence == Occurrence::Several => {
                *occurrence = Occurrence::Written(self.marked);
                self.marked += 1;
                mark = REFERENCE_FLAG;
            }
            _ => {}
        }
        match &self.nodes[object] {
            Node::Plain { kind, content } => {
                self.out.push(kind | mark);
                self.out.extend(*content);
            }
            Node::Sequence { kind: b'(', objects } => {
                if let Ok(count) = u8::try_from(objects.len()) {
                    self.out.extend([b')' | mark, count]);
                } else {
                    self.out.push(b'(' | mark);
                    self.length(objects.len());
                }
                self.objects(objects);
            }
            Node::Sequence { kind, objects } => {
                self.out.push(kind | mark);
                self.objects(objects);
            }
            Node::Set { objects } => {
                self.out.push(b'>' | mark);
                self.length(objects.len());
                self.objects(objects);
            }
            Node::Code { numbers, before, first_line, after } => {
                self.out.push(b'c' | mark);
                self.out.extend(*numbers);
                self.objects(before);
                self.out.extend(*first_line);
                self.objects(after);
            }
        }
    }

    fn objects(&mut self, objects: &[usize]) {
        for object in objects {
            self.object(*object);
        }
    }

    fn length(&mut self, length: usize) {
        // The length was read from four bytes, so it fits.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.out.extend(length.to_le_bytes());
    }
}
