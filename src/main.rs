//! Parse, run, exit code; nothing else.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let code = tcpshake::cli::run(std::env::args_os()).unwrap_or_else(|failure| {
        let _ = writeln!(std::io::stderr(), "tcpshake: {failure}");
        failure.exit.code()
    });
    ExitCode::from(code)
}
