//! Columns.

/// Rows below a head, if there is one. Columns that hold nothing but numbers, and `-` for none,
/// stand right, the others left.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).chain([head.len()]).max().unwrap_or(0);
    let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
    let is_number =
        |text: &str| text == "-" || text.bytes().all(|c| c.is_ascii_digit() || c == b',');
    let layout: Vec<(usize, bool)> = (0..columns)
        .map(|column| {
            let cells = rows.iter().map(|row| cell(row, column));
            let (mut width, mut right) = (0, true);
            for text in cells {
                width = width.max(text.chars().count());
                right &= is_number(&text);
            }
            let head = head.get(column).map_or(0, |head| head.chars().count());
            (width.max(head), right && !rows.is_empty())
        })
        .collect();
    let line = |cells: &[String]| {
        let padded = layout.iter().enumerate().map(|(column, (width, right))| {
            let text = cell(cells, column);
            if *right { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let first = (!head.is_empty()).then(|| line(&head));
    first.into_iter().chain(rows.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let rows = [["a", "1", ""], ["größer", "-", "x"]];
        let rows = rows.map(|row| row.map(String::from).to_vec());
        let text = table(&["NAME", "COUNT", "NOTE"], &rows);
        assert_eq!(text, "NAME    COUNT  NOTE\na           1\ngrößer      -  x");
        assert_eq!(table(&[], &rows), "a       1\ngrößer  -  x");
        assert_eq!(table(&["NAME", "COUNT"], &[]), "NAME  COUNT");
    }
}
