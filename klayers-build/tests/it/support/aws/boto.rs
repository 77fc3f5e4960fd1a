//! The view of an account by boto3, the reference client.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use url::Url;

use super::Account;

/// Whether to download zips.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Contents {
    Listed,
    /// Downloads from the location in `GetLayerVersionByArn`; adds the SHA-256 as `downloaded`.
    Downloaded,
}

/// Returns the versions by region and layer, newest first.
pub(crate) fn boto_view(
    endpoint: &Url,
    account: &Account,
    regions: &[&str],
    contents: Contents,
) -> Value {
    let download = (contents == Contents::Downloaded).then_some("--download");
    ask(endpoint, account, regions, download)
}

/// Returns the pointers of all regions. A key consists of region and name.
pub(crate) fn boto_pointers(
    endpoint: &Url,
    account: &Account,
    regions: &[&str],
) -> BTreeMap<String, String> {
    let found = ask(endpoint, account, regions, Some("--pointers"));
    serde_json::from_value(found).unwrap()
}

fn ask(endpoint: &Url, account: &Account, regions: &[&str], option: Option<&str>) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = root.join("klayers-build/tests/it/support/aws/boto_view.py");
    let mut command = Command::new(root.join("build/aws/bin/python"));
    command.arg("-B").arg(script).arg(endpoint.as_str()).args(regions).args(option);
    let output = command.env_clear().envs(account.environment()).output();
    let output = output.expect("boto3, which tools/setup-aws installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
