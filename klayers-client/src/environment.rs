/// A variable of the environment.
///
/// Proxies, certificates and `KLAYERS_API_URL` are settings of whoever runs a program, as in every
/// tool that opens connections, so the client itself reads them.
#[expect(clippy::disallowed_methods, reason = "connections are made at the edge")]
pub(crate) fn variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}
