use super::*;

fn key(pk: &str, sk: &str) -> Result<Key, String> {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let item = Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))]);
    Key::of(&item).map_err(|reason| reason.to_string())
}

#[test]
fn a_key_says_what_an_item_is_of() {
    let place = || {
        let package: PackageName = "fake-useragent".parse().unwrap();
        ("p3.12-arm64".parse().unwrap(), package, "us-east-1".parse().unwrap())
    };
    let pk = "lyr#us-east-1:fake-useragent:p3.12-arm64";
    assert_eq!(key(pk, "lyrVrsn#v12"), Ok(Key::Version { layer: place(), number: 12 }));
    assert_eq!(key(pk, "lyrVrsn0#"), Ok(Key::Pointer(place())));
    let latest = Key::LatestBuild("p3.12".parse().unwrap(), "Pillow".parse().unwrap());
    assert_eq!(key("bldVrsn0#p3.12", "pckg#Pillow"), Ok(latest));
    assert_eq!(key("bld#v3:p3.12", "pckg#Pillow"), Ok(Key::Build));
    assert_eq!(key("stats", "x"), Ok(Key::Other));
    assert_eq!(Key::of(&Item::new()).ok(), Some(Key::Other));
    for (pk, sk) in [
        (pk, "lyrVrsn#v"),
        (pk, "lyrVrsn#vx"),
        (pk, "lyrVrsn1#"),
        ("lyr#us-east-1:a", "lyrVrsn#v1"),
        ("lyr#mars:a:p3.12", "lyrVrsn#v1"),
        ("lyr#us-east-1:a b:p3.12", "lyrVrsn#v1"),
        ("lyr#us-east-1:a:python", "lyrVrsn#v1"),
        ("bldVrsn0#p3.12", "Pillow"),
        ("bldVrsn0#", "pckg#Pillow"),
    ] {
        key(pk, sk).expect_err(pk);
    }
}

#[test]
fn times_are_seconds_or_civil_and_cut_to_seconds() {
    let expected: Timestamp = "2023-09-03T02:05:11Z".parse().unwrap();
    assert_eq!(seconds("1693706711"), Some(expected));
    assert_eq!(seconds("1693706711.75"), Some(expected));
    assert_eq!(civil("2023-09-03T02:05:11.123456"), Some(expected));
    for text in ["", "soon", "99999999999999999"] {
        assert_eq!((seconds(text), civil(text)), (None, None), "{text}");
    }
}
