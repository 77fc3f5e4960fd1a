//! Content negotiation: encodings, ranges and conditional requests.

use std::io::Read as _;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName,
    IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE, VARY,
};
use reqwest::{Method, Response};

use super::Served;
use crate::samples::build;

const LIST: &str = "/api/v2/p3.12/layers/latest/eu-west-1";

/// A server with a list that is long enough to be encoded.
async fn with_a_long_list() -> Served {
    let served = Served::with_layers().await;
    for number in 0..40 {
        let name = format!("package-{number}");
        served.publish(&build("p3.12", &name, "1.0"), "eu-west-1", 1).await;
    }
    served
}

async fn ask(served: &Served, method: Method, fields: &[(HeaderName, &str)]) -> Response {
    let mut request = served.client.request(method, served.url(LIST));
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_accepted_encoding_decodes_to_the_same_body() {
    let served = with_a_long_list().await;
    let plain = served.body(LIST).await;
    for (accepted, encoding) in [
        ("br, gzip", Some("br")),
        ("gzip", Some("gzip")),
        ("gzip;q=1, br;q=0.1", Some("gzip")),
        ("identity", None),
        ("zstd", None),
        ("", None),
    ] {
        let answer = ask(&served, Method::GET, &[(ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(text(answer.headers(), &CONTENT_ENCODING), encoding, "{accepted}");
        assert_eq!(text(answer.headers(), &VARY), Some("accept-encoding"));
        let length: usize = text(answer.headers(), &CONTENT_LENGTH).unwrap().parse().unwrap();
        let body = answer.bytes().await.unwrap();
        assert_eq!(body.len(), length);
        let mut decoded = String::new();
        match encoding {
            Some("br") => {
                let mut decoder = brotli::Decompressor::new(&body[..], 4096);
                decoder.read_to_string(&mut decoded).unwrap();
            }
            Some(_) => {
                flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut decoded).unwrap();
            }
            None => decoded = String::from_utf8(body.to_vec()).unwrap(),
        }
        assert_eq!(decoded, plain);
    }
    let none = ask(&served, Method::GET, &[(ACCEPT_ENCODING, "zstd, identity;q=0")]).await;
    assert_eq!(none.status(), 406);
}

#[tokio::test]
async fn head_has_the_status_and_fields_of_get() {
    let served = with_a_long_list().await;
    for fields in [
        &[][..],
        &[(ACCEPT_ENCODING, "br")],
        &[(RANGE, "bytes=0-9")],
        &[(RANGE, "bytes=999999999-")],
        &[(IF_NONE_MATCH, "*")],
    ] {
        let mut got = ask(&served, Method::GET, fields).await;
        let mut head = ask(&served, Method::HEAD, fields).await;
        assert_eq!(head.status(), got.status(), "{fields:?}");
        got.headers_mut().remove("date");
        head.headers_mut().remove("date");
        assert_eq!(head.headers(), got.headers(), "{fields:?}");
        assert_eq!(head.bytes().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn matching_etag_gets_not_modified() {
    let served = with_a_long_list().await;
    let mut tags = Vec::new();
    for accepted in ["br", "gzip", "identity"] {
        let first = ask(&served, Method::GET, &[(ACCEPT_ENCODING, accepted)]).await;
        let etag = text(first.headers(), &ETAG).unwrap().to_owned();
        assert!(etag.starts_with('"'), "a strong tag: {etag}");
        for tag in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()]
        {
            let fields = [(ACCEPT_ENCODING, accepted), (IF_NONE_MATCH, &*tag)];
            let again = ask(&served, Method::GET, &fields).await;
            assert_eq!(again.status(), 304, "{tag}");
            assert_eq!(text(again.headers(), &ETAG), Some(&*etag));
            for kept in ["cache-control", "vary", "access-control-allow-origin"] {
                assert!(again.headers().contains_key(kept), "{kept}");
            }
            assert!(!again.headers().contains_key("content-type"));
            assert_eq!(again.bytes().await.unwrap().len(), 0);
        }
        tags.push(etag);
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
    let other = ask(&served, Method::GET, &[(IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!(other.status(), 200);
    let other = ask(&served, Method::GET, &[(IF_MATCH, "\"other\"")]).await;
    assert_eq!(other.status(), 412);
    let same = ask(&served, Method::GET, &[(IF_MATCH, &*tags[2])]).await;
    assert_eq!(same.status(), 200);
}

#[tokio::test]
async fn ranges_are_sent_only_of_the_version_named_by_if_range() {
    let served = with_a_long_list().await;
    let whole = served.body(LIST).await;
    let length = whole.len();
    let etag = ask(&served, Method::GET, &[]).await.headers()[ETAG].clone();
    let etag = etag.to_str().unwrap();
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=100-", 100..length),
        ("bytes=-7", length - 7..length),
    ] {
        for fields in [&[(RANGE, range)][..], &[(RANGE, range), (IF_RANGE, etag)]] {
            let answer = ask(&served, Method::GET, fields).await;
            assert_eq!(answer.status(), 206, "{range}");
            let expected = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            assert_eq!(text(answer.headers(), &CONTENT_RANGE), Some(&*expected));
            assert_eq!(answer.text().await.unwrap(), whole[part.clone()]);
        }
        let changed = ask(&served, Method::GET, &[(RANGE, range), (IF_RANGE, "\"other\"")]).await;
        assert_eq!(changed.status(), 200);
        assert_eq!(changed.text().await.unwrap(), whole);
    }
    for whole_range in ["bytes=0-1,4-5", "lines=1-2", "bytes=5-4", "x"] {
        let answer = ask(&served, Method::GET, &[(RANGE, whole_range)]).await;
        assert_eq!(answer.status(), 200, "{whole_range}");
    }
    let beyond = ask(&served, Method::GET, &[(RANGE, &*format!("bytes={length}-"))]).await;
    assert_eq!(beyond.status(), 416);
    let expected = format!("bytes */{length}");
    assert_eq!(text(beyond.headers(), &CONTENT_RANGE), Some(&*expected));
}
