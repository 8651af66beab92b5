//! What is missing, stale or unknown is found, and what is not a test is not taken for one.

use super::scan::tests_of;
use super::*;

const TABLE: &str = "# Rows\n\nA 1 first\nA 2 second\nB 16 third\n";

const PAGE: &str = "\
# A page

| row | how much | why |
|---|---|---|
| A 2 | half | One | half needs more. |
| B 16 | full | Needs more. |
";

fn found(source: &str) -> Vec<Test> {
    tests_of(source, "file.rs").unwrap()
}

fn complaints(page: &str, source: &str) -> Vec<String> {
    problems(&parse_rows(TABLE).unwrap(), &exceptions::parse(page).unwrap(), &found(source))
}

const SOURCE: &str = "#[test] fn a01_x() {} #[tokio::test(start_paused = true)] async fn a2_y() {}";

#[test]
fn what_is_tested_or_listed_is_in_order() {
    assert_eq!(complaints(PAGE, SOURCE), [""; 0]);
}

#[test]
fn a_row_with_neither_test_nor_exception_is_missing() {
    let source = "#[test] fn a02_y() {}";
    assert_eq!(complaints(PAGE, source), ["row A 1 has no test: first"]);
}

#[test]
fn a_row_listed_as_half_needs_a_test_for_the_rest() {
    let source = "#[test] fn a01_x() {}";
    let expected = "row A 2 is listed as half, and has no test: second";
    assert_eq!(complaints(PAGE, source), [expected]);
}

#[test]
fn an_exception_for_a_row_that_has_a_test_is_stale() {
    let source = format!("{SOURCE} #[test] fn b16_z() {{}}");
    let expected = "row B 16 is listed as without a test, and has one";
    assert_eq!(complaints(PAGE, &source), [expected]);
}

#[test]
fn a_test_of_no_row_is_unknown() {
    // The number is in the table, under another category.
    let source = format!("{SOURCE} #[test] fn b01_z() {{}} #[test] fn l153_z() {{}}");
    let expected = [
        "b01_z in file.rs: there is no row B 1".to_string(),
        "l153_z in file.rs: there is no row L 153".to_string(),
    ];
    assert_eq!(complaints(PAGE, &source), expected);
}

#[test]
fn an_exception_of_no_row_or_for_the_second_time_is_found() {
    let page = format!("{PAGE}| B 17 | full | No such row. |\n| B 16 | half | Again. |\n");
    let expected = ["row B 17 is listed, and does not exist", "row B 16 is listed twice"];
    let complaints = complaints(&page, &format!("{SOURCE} #[test] fn b16_z() {{}}"));
    assert_eq!(complaints, expected);
}

#[test]
fn only_tests_that_run_count() {
    let source = r##"
        // #[test] fn a01_comment() {}
        /// #[test] fn a02_documentation() {}
        const TEXT: &str = "#[test] fn a03_string() {}";
        fn a04_helper() {}
        #[test] #[ignore = "slow"] fn a05_ignored() {}
        #[test] fn i19_promise() {}
        #[test] fn r03_rule() {}
        #[test] fn a_06_word() {}
        #[test] fn a6b_word() {}
        mod inner { mod most { #[test] #[allow(unused)] fn a07_inside() {} } }
    "##;
    let names: Vec<String> = found(source).into_iter().map(|test| test.name).collect();
    assert_eq!(names, ["a07_inside"]);
}

#[test]
fn a_script_counts_by_its_name() {
    let of = |file| super::scan::script(file).map(|test| test.row.to_string());
    assert_eq!(of("host-tests/scenarios/d35_a_hint.txt").as_deref(), Some("D 35"));
    assert_eq!(of("host-tests/scenarios/regression_of_a_seed.txt"), None);
    assert_eq!(of("host-tests/scenarios/d35_notes.md"), None);
    assert_eq!(of("host-tests/scenarios/src/d35_a_hint.txt"), None);
    assert_eq!(of("host-tests/boards/d35_a_hint.txt"), None);
}

#[test]
fn tables_are_refused_if_they_cannot_be_understood() {
    for page in
        ["| A 1 | most | Why. |", "| A | full | Why. |", "| A 1 | full | |", "| A 1 | full |"]
    {
        let page = format!("| row | how much | why |\n|---|---|---|\n{page}\n");
        assert!(exceptions::parse(&page).is_err(), "{page}");
    }
    for table in ["A 1 one\nA 1 two\n", "A x one\n", "AB 1 one\n", "A 1\n"] {
        assert!(parse_rows(table).is_err(), "{table}");
    }
}
