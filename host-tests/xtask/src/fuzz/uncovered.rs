//! The page of the functions that no input reaches, with the reason why.

use anyhow::{Result, bail, ensure};

use super::coverage::Function;

/// Reads a page's lines of the form `| file | function | why |`, below the head of their table. A
/// function `*` means all of a file.
pub(super) fn parse(page: &str) -> Result<Vec<Function>> {
    let lines = page.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(line).collect()
}

fn line(line: &str) -> Result<Function> {
    let cells: Vec<&str> = line.trim_matches('|').splitn(3, '|').map(str::trim).collect();
    let [file, name, why] = cells[..] else { bail!("`{line}` does not have three cells") };
    ensure!(!why.is_empty(), "`{line}` gives no reason");
    let plain = |cell: &str| cell.trim_matches('`').to_owned();
    Ok(Function { file: plain(file), name: plain(name) })
}

/// What is not reached and has no reason, and what has a reason and is reached.
pub(super) fn compare(known: &[Function], missed: &[Function]) -> Vec<String> {
    let meets = |known: &Function, missed: &Function| {
        known.file == missed.file && (known.name == "*" || known.name == missed.name)
    };
    let unknown = missed.iter().filter(|missed| !known.iter().any(|k| meets(k, missed)));
    let unknown =
        unknown.map(|f| format!("  {}: {} is not reached, and has no reason", f.file, f.name));
    let reached = known.iter().filter(|known| !missed.iter().any(|m| meets(known, m)));
    let reached =
        reached.map(|f| format!("  {}: {} is reached; take its line out", f.file, f.name));
    unknown.chain(reached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(file: &str, name: &str) -> Function {
        Function { file: file.into(), name: name.into() }
    }

    #[test]
    fn the_page_is_read_and_held_against_what_was_measured() {
        let page = "# Page\n\n| file | function | why |\n|---|---|---|\n\
                    | `a.rs` | `A::x` | of no use |\n| b.rs | * | text |\n";
        let known = parse(page).unwrap();
        assert_eq!(known, [function("a.rs", "A::x"), function("b.rs", "*")]);
        let missed = [function("a.rs", "A::x"), function("b.rs", "y"), function("b.rs", "z")];
        assert_eq!(compare(&known, &missed), [""; 0]);
        assert_eq!(compare(&known[..1], &missed).len(), 2, "without a reason");
        assert_eq!(compare(&known, &missed[1..]).len(), 1, "reached meanwhile");
    }

    #[test]
    fn lines_without_a_reason_are_told() {
        for page in ["|a|b|c|\n|-|-|-|\n| a.rs | x |  |", "|a|b|c|\n|-|-|-|\n| a.rs | x |"] {
            assert!(parse(page).is_err(), "{page}");
        }
    }
}
