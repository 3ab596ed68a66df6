use super::*;

#[test]
fn placeholder() {
    assert!(
        render(&Page { title: "<b>", introduction: &[], shown: &[], course: None }).contains("&#60;b&#62;")
    );
}
