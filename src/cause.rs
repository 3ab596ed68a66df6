//! What the system says went wrong, as our own errors say it.

use std::io;

/// The cause in lower case and without its number: `network is unreachable`.
pub fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_and_no_number() {
        assert_eq!(cause(&io::Error::from_raw_os_error(libc::ENETUNREACH)), "network is unreachable");
        assert_eq!(cause(&io::Error::other("Odd")), "odd");
    }
}
