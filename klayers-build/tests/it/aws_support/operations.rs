//! Recognition of operations.

use std::time::Duration;

use reqwest::Method;

use super::Caller;
use crate::support::aws::{Account, Answer, Fault, FaultProxy, Operation, Rule, StubLambda};

#[tokio::test]
async fn operation_is_recognized_from_request_head() {
    let upstream = StubLambda::start(Duration::ZERO).await;
    let none = Rule::new(Fault::Answered(Answer::service_error()));
    let proxy = FaultProxy::start(&upstream.url(), [none]).await;
    let caller = Caller::new(&proxy.url(), &Account::new(), "us-east-1");

    let layers = "/2018-10-31/layers";
    let lambda = [
        ("GET", "", Operation::ListLayers),
        ("GET", "?find=LayerVersion&Arn=arn", Operation::GetLayerVersionByArn),
        ("POST", "/x/versions", Operation::PublishLayerVersion),
        ("GET", "/x/versions?MaxItems=2", Operation::ListLayerVersions),
        ("GET", "/x/versions/1", Operation::GetLayerVersion),
        ("DELETE", "/x/versions/1", Operation::DeleteLayerVersion),
        ("POST", "/x/versions/1/policy", Operation::AddLayerVersionPermission),
        ("GET", "/x/versions/1/policy", Operation::GetLayerVersionPolicy),
        ("DELETE", "/x/versions/1/policy/s", Operation::RemoveLayerVersionPermission),
        ("PATCH", "/x", Operation::Other),
    ];
    for (method, path, _) in lambda {
        let method: Method = method.parse().unwrap();
        caller.lambda(method, path).send().await.unwrap();
    }
    let others = [
        ("lambda", "GET", "/2016-08-19/account-settings/", "", Operation::GetAccountSettings),
        ("s3", "PUT", "/bucket/a/key?x-id=PutObject", "", Operation::PutObject),
        ("s3", "PUT", "/bucket/key", "x-amz-copy-source", Operation::CopyObject),
        ("s3", "PUT", "/bucket/key?partNumber=1&uploadId=u", "", Operation::UploadPart),
        ("s3", "GET", "/bucket/key", "", Operation::GetObject),
        ("s3", "HEAD", "/bucket/key", "", Operation::HeadObject),
        ("s3", "DELETE", "/bucket/key", "", Operation::DeleteObject),
        ("s3", "PUT", "/bucket", "", Operation::CreateBucket),
        ("s3", "HEAD", "/bucket/", "", Operation::HeadBucket),
        ("s3", "GET", "/bucket?location", "", Operation::Other),
        ("ssm", "POST", "/", "AmazonSSM.PutParameter", Operation::PutParameter),
        ("ssm", "POST", "/", "AmazonSSM.GetParameter", Operation::GetParameter),
        ("ssm", "POST", "/", "AmazonSSM.DeleteParameter", Operation::DeleteParameter),
        ("sts", "POST", "/", "", Operation::Sts),
        ("sqs", "POST", "/", "", Operation::Other),
    ];
    for (service, method, path, header, _) in others {
        let request = caller.request(method.parse().unwrap(), service, path);
        let request = match header {
            "x-amz-copy-source" => request.header(header, "other/key"),
            target => request.header("x-amz-target", target),
        };
        request.send().await.unwrap();
    }

    let expected = lambda.map(|(_, path, operation)| (format!("{layers}{path}"), operation));
    let expected = expected
        .into_iter()
        .chain(others.map(|(_, _, path, _, operation)| (path.to_owned(), operation)));
    let log = proxy.log().into_iter().map(|passed| (passed.call.path, passed.call.operation));
    assert_eq!(log.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(upstream.received(), 0);
}

#[tokio::test]
async fn region_comes_from_signature_in_header_or_query() {
    let upstream = StubLambda::start(Duration::ZERO).await;
    let proxy = FaultProxy::start(&upstream.url(), []).await;
    let caller = Caller::new(&proxy.url(), &Account::new(), "ap-southeast-5");
    caller.versions().await;
    let signed = "/bucket/key?X-Amz-Credential=1%2F20260101%2Feu-west-3%2Fs3%2Faws4_request";
    for path in [signed, "/not/signed"] {
        caller.client.get(proxy.url().join(path).unwrap()).send().await.unwrap();
    }
    let log = proxy.log().into_iter().map(|passed| (passed.call.region, passed.call.operation));
    let expected = [
        ("ap-southeast-5", Operation::ListLayerVersions),
        ("eu-west-3", Operation::GetObject),
        ("", Operation::Other),
    ];
    assert_eq!(
        log.collect::<Vec<_>>(),
        expected.map(|(region, operation)| (region.to_owned(), operation))
    );
}
