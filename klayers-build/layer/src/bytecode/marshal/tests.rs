use super::*;

const FILE: &str = "/opt/python/a.py";

/// Sets the reference flag of an object.
fn marked(mut object: Vec<u8>) -> Vec<u8> {
    object[0] |= REFERENCE_FLAG;
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

/// A code object of Python 3.11 and later, with constants.
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

fn form(marshalled: &[u8]) -> Result<Vec<u8>, MalformedReason> {
    canonical(marshalled, Layout::Since311, FILE)
}

#[test]
fn equal_code_has_one_canonical_form() {
    let once = module(tuple(&[vec![b'N'], text(b'Z', "once")]));
    assert_eq!(form(&once), form(&module(tuple(&[vec![b'N'], marked(text(b'Z', "once"))]))));
    // The tuple has reference number 0, the text number 1.
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
fn different_constants_stay_different() {
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
fn canonical_form_is_stable() {
    let inner = code(text(b'z', FILE), tuple(&[set(&[vec![b'N'], text(b'z', "x y")])]));
    let constants = tuple(&[inner.clone(), inner, marked(tuple(&[vec![b'F']])), reference(0)]);
    let once = form(&module(constants)).expect("sound");
    assert_eq!(form(&once), Ok(once.clone()));
    // A NaN object is only equal to itself, so two of them stay two.
    let nan = vec![b'g', 0, 0, 0, 0, 0, 0, 0xf8, 0x7f];
    let two = form(&module(tuple(&[nan.clone(), nan.clone()]))).expect("sound");
    assert_eq!(two.windows(9).filter(|bytes| *bytes == nan).count(), 2);
}

#[test]
fn code_of_another_file_is_refused() {
    let other = || text(b'z', "/opt/python/b.py");
    let of_another = Err("it is the code of another file");
    assert_eq!(form(&code(other(), tuple(&[]))), of_another);
    assert_eq!(form(&module(tuple(&[code(other(), tuple(&[]))]))), of_another);
    assert_eq!(form(&code(bytes(FILE.as_bytes()), tuple(&[]))), of_another);
}

#[test]
fn malformed_code_is_refused() {
    for (constants, reason) in [
        (tuple(&[reference(0)]), "it refers to an object that does not exist"),
        (tuple(&[reference(u32::MAX)]), "a length is negative"),
        // A reference to the tuple itself.
        (marked(tuple(&[reference(0)])), "it refers to an object that does not exist"),
        (vec![b'['], "it holds an object of an unknown type"),
        (vec![b'(', 0xff, 0xff, 0xff, 0x7f], "it is cut off"),
    ] {
        assert_eq!(form(&module(constants)), Err(reason));
    }
    assert_eq!(form(&tuple(&[])), Err("it is not code"));
    assert_eq!(form(&[module(tuple(&[])), vec![0]].concat()), Err("other bytes follow it"));
}

#[test]
fn nesting_deeper_than_python_loads_is_refused() {
    let nested = |levels| [[b')', 1].repeat(levels), vec![b'N']].concat();
    let outcomes = move || (form(&module(nested(1_900))).is_ok(), form(&module(nested(100_000))));
    let thread = std::thread::Builder::new().stack_size(crate::bytecode::STACK).spawn(outcomes);
    let outcomes = thread.expect("a thread").join().expect("the stack is deep enough");
    assert_eq!(outcomes, (true, Err("it is nested too deeply")));
}

#[test]
fn truncated_or_changed_bytes_never_panic() {
    let strings = [marked(text(b'z', "a b")), reference(0), vec![b'l', 1, 0, 0, 0, 7, 0]];
    let sound = module(tuple(&[tuple(&strings), set(&[bytes(b"x"), vec![b'.']])]));
    assert!(form(&sound).is_ok());
    for at in 0..sound.len() {
        assert!(form(&sound[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut changed = sound.clone();
            changed[at] ^= 1 << bit;
            // If the code is still valid, its canonical form is stable.
            if let Ok(once) = form(&changed) {
                assert_eq!(form(&once), Ok(once.clone()), "changed at {at}");
            }
        }
    }
}
