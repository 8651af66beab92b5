//! Who is used to kcat, and types -P.

use std::ffi::OsString;

/// The arguments, with `produce` in the place of kcat's -P where no command is named.
pub(crate) fn arguments(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = given.collect();
    let is_option = |text: &OsString| text.to_string_lossy().starts_with('-');
    if !all.get(1).is_some_and(is_option) {
        return all;
    }
    let options = all.iter().skip(1).take_while(|text| *text != "--");
    // Alone, or before others: -Pt topic.
    let mode = options.clone().position(|text| text.to_str().is_some_and(|t| t.starts_with("-P")));
    let Some(place) = mode.map(|place| place + 1) else { return all };
    let rest = all.remove(place);
    if let Some(rest) = rest.to_str().and_then(|text| text.strip_prefix("-P"))
        && !rest.is_empty()
    {
        all.insert(place, format!("-{rest}").into());
    }
    all.insert(1, "produce".into());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_kcat_is_a_command() {
        for (given, expected) in [
            ("ottla -P -b x -t y", "ottla produce -b x -t y"),
            ("ottla -b x -t y -P f", "ottla produce -b x -t y f"),
            ("ottla -Pt y", "ottla produce -t y"),
            ("ottla -v -P -t y", "ottla produce -v -t y"),
            ("ottla produce -t -P", "ottla produce -t -P"),
            ("ottla demo", "ottla demo"),
            ("ottla --help", "ottla --help"),
            ("ottla -v -- -P", "ottla -v -- -P"),
            ("ottla", "ottla"),
        ] {
            let given = given.split(' ').map(OsString::from);
            let expected: Vec<OsString> = expected.split(' ').map(OsString::from).collect();
            assert_eq!(arguments(given), expected);
        }
    }
}
