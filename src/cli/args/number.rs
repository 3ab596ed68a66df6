//! Numbers as they are typed: decimal, or hexadecimal behind 0x.

/// A field of a header.
pub(super) fn number<T: TryFrom<u32>>(text: &str) -> Result<T, String> {
    let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with('+') => None, // which Rust would take
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    number.and_then(|number| number.try_into().ok()).ok_or_else(|| {
        let most = (1_u64 << (8 * size_of::<T>())) - 1;
        format!("a number from 0 to {most} is needed, such as 83 or 0x53")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_hexadecimal_within_the_field() {
        assert_eq!(number::<u8>("255"), Ok(255));
        assert_eq!(number::<u8>("0xFf"), Ok(255));
        assert_eq!(number::<u16>("0xffff"), Ok(65_535));
        assert_eq!(number::<u32>("4294967295"), Ok(u32::MAX));
        for bad in ["256", "0x100", "-1", "+1", "0x+1", "0x", "", "1.5", "ten"] {
            assert!(number::<u8>(bad).unwrap_err().contains("from 0 to 255"), "{bad}");
        }
        assert!(number::<u32>("4294967296").unwrap_err().contains("4294967295"));
    }
}
