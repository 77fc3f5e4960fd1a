use super::*;

const FILE: &str = "/opt/python/a.py";

/// Marked, so that it may be referred to.
fn marked(mut object: Vec<u8>) -> Vec<u8> {
    object[0] |= REFERRED;
    object
}

fn text(kind: u8, content: &str) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short text");
    [&[kind, length], content.as_bytes()].concat()
}

fn bytes(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short text");
    [b"s", &length.to_le_bytes()[..], content].concat()
}

fn reference(number: u32) -> Vec<u8> {
    [b"r", &number.to_le_bytes()[..]].concat()
}

fn tuple(objects: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(objects.len()).expect("a short tuple");
    [vec![b')', count], objects.concat()].concat()
}

fn set(objects: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(objects.len()).expect("a small set");
    [[b">", &count.to_le_bytes()[..]].concat(), objects.concat()].concat()
}

/// Code of Python 3.11 and later, with constants.
fn code(file: Vec<u8>, constants: Vec<u8>) -> Vec<u8> {
    let numbers = [0; 20].to_vec();
    let before = [bytes(b"code"), constants, tuple(&[]), tuple(&[]), bytes(b"k"), file];
    let names = [text(b'Z', "name"), text(b'Z', "qualified")];
    let after = [vec![1, 0, 0, 0], bytes(b"lines"), bytes(b"table")];
    [vec![b'c'], numbers, before.concat(), names.concat(), after.concat()].concat()
}

fn module(constants: Vec<u8>) -> Vec<u8> {
    code(text(b'z', FILE), constants)
}

fn form(marshalled: &[u8]) -> Result<Vec<u8>, Malformed> {
    canonical(marshalled, Layout::Since311, FILE)
}

#[test]
fn the_same_code_has_one_form() {
    let once = module(tuple(&[vec![b'N'], text(b'Z', "once")]));
    assert_eq!(form(&once), form(&module(tuple(&[vec![b'N'], marked(text(b'Z', "once"))]))));
    // The tuple is marked first, the text second.
    let shared = marked(tuple(&[marked(text(b'z', "a b")), reference(1), vec![b'T']]));
    let apart = tuple(&[text(b'z', "a b"), text(b'z', "a b"), vec![b'T']]);
    assert_eq!(form(&module(shared)), form(&module(apart)));
    let members = [text(b'z', "a b"), text(b'z', "c d")];
    let turned = [members[1].clone(), members[0].clone()];
    assert_eq!(form(&module(set(&members))), form(&module(set(&turned))));
    for name in ["", "*"] {
        let interned = module(tuple(&[text(b'Z', name)]));
        assert_eq!(form(&interned), form(&module(tuple(&[text(b'z', name)]))), "{name:?}");
    }
}

#[test]
fn what_differs_stays_different() {
    let float = |last| vec![b'g', 0, 0, 0, 0, 0, 0, 0, last];
    let constants = [
        tuple(&[]),
        tuple(&[float(0)]),
        tuple(&[float(0x80)]),
        tuple(&[vec![b'i', 1, 0, 0, 0]]),
        tuple(&[vec![b'T']]),
        tuple(&[text(b'z', "ab")]),
        tuple(&[text(b'Z', "ab")]),
        tuple(&[bytes(b"ab")]),
        tuple(&[tuple(&[bytes(b"ab")])]),
        set(&[bytes(b"ab")]),
    ];
    let mut forms: Vec<_> = constants.map(|constants| form(&module(constants))).to_vec();
    assert!(forms.iter().all(Result::is_ok));
    forms.sort();
    forms.dedup();
    assert_eq!(forms.len(), 10);
}

#[test]
fn the_form_is_its_own_form() {
    let inner = code(text(b'z', FILE), tuple(&[set(&[vec![b'N'], text(b'z', "x y")])]));
    let constants = tuple(&[inner.clone(), inner, marked(tuple(&[vec![b'F']])), reference(0)]);
    let once = form(&module(constants)).expect("sound");
    assert_eq!(form(&once), Ok(once.clone()));
    // Not a number is equal to itself alone, so that two of them stay two.
    let nan = vec![b'g', 0, 0, 0, 0, 0, 0, 0xf8, 0x7f];
    let two = form(&module(tuple(&[nan.clone(), nan.clone()]))).expect("sound");
    assert_eq!(two.windows(9).filter(|bytes| *bytes == nan).count(), 2);
}

#[test]
fn code_of_another_file_is_refused() {
    let other = || text(b'z', "/opt/python/b.py");
    let of_another = Err("it is that of another file");
    assert_eq!(form(&code(other(), tuple(&[]))), of_another);
    assert_eq!(form(&module(tuple(&[code(other(), tuple(&[]))]))), of_another);
    assert_eq!(form(&code(bytes(FILE.as_bytes()), tuple(&[]))), of_another);
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    for (constants, reason) in [
        (tuple(&[reference(0)]), "it refers to what is not there"),
        (tuple(&[reference(u32::MAX)]), "a length is negative"),
        // To the tuple itself.
        (marked(tuple(&[reference(0)])), "it refers to what is not there"),
        (vec![b'['], "it holds an object of a type that is not known"),
        (vec![b'(', 0xff, 0xff, 0xff, 0x7f], "it is cut off"),
    ] {
        assert_eq!(form(&module(constants)), Err(reason));
    }
    assert_eq!(form(&tuple(&[])), Err("it is no code"));
    assert_eq!(form(&[module(tuple(&[])), vec![0]].concat()), Err("something stands behind it"));
}

#[test]
fn what_is_nested_deeper_than_python_loads_is_refused() {
    let nested = |levels| [[b')', 1].repeat(levels), vec![b'N']].concat();
    let outcomes = move || (form(&module(nested(1_900))).is_ok(), form(&module(nested(100_000))));
    let thread = std::thread::Builder::new().stack_size(crate::bytecode::STACK).spawn(outcomes);
    let outcomes = thread.expect("a thread").join().expect("the stack is deep enough");
    assert_eq!(outcomes, (true, Err("it is nested too deeply")));
}

#[test]
fn bytes_cut_or_changed_anywhere_are_no_reason_to_panic() {
    let strings = [marked(text(b'z', "a b")), reference(0), vec![b'l', 1, 0, 0, 0, 7, 0]];
    let sound = module(tuple(&[tuple(&strings), set(&[bytes(b"x"), vec![b'.']])]));
    assert!(form(&sound).is_ok());
    for at in 0..sound.len() {
        assert!(form(&sound[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = sound.clone();
            changed[at] ^= 1 << bit;
            // What is still sound has one form, too.
            if let Ok(once) = form(&changed) {
                assert_eq!(form(&once), Ok(once.clone()), "changed at {at}");
            }
        }
    }
}
