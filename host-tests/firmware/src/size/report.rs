//! Sizes as tables.

use std::fmt::Write as _;

use super::Measured;
use super::measure::Sizes;
use super::modules::is_ottla;

/// Variables below this are not listed.
const VARIABLE: u64 = 256;

pub(super) fn for_terminal(boards: &[Measured]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |columns: [&str; 7]| {
        let [name, rest @ ..] = columns;
        let rest: String = rest.iter().map(|column| format!("{column:>9}")).collect();
        let _ = writeln!(text, "{name:28}{rest}");
    };
    line(["bytes", "text", "rodata", "data", "bss", "flash", "RAM"]);
    for Measured { folder, plain, bare, .. } in boards {
        line(row(folder, plain).each_ref().map(String::as_str));
        line(row("  without the client", bare).each_ref().map(String::as_str));
        line(difference(plain, bare).each_ref().map(String::as_str));
    }
    for Measured { folder, target, plain, .. } in boards {
        let _ = writeln!(text, "\ncode of {folder} ({target}) by module:");
        for (module, size) in &plain.modules {
            let whose = if is_ottla(module) { "Ottla" } else { "" };
            let _ = writeln!(text, "  {module:20}{size:>8}  {whose}");
        }
        let _ = writeln!(text, "  {:20}{:>8}", "Ottla in all", plain.ottla());
        let _ = writeln!(text, "variables of {VARIABLE} bytes and more:");
        for (name, size) in plain.variables.iter().filter(|(_, size)| *size >= VARIABLE) {
            let _ = writeln!(text, "  {size:>8}  {name}");
        }
    }
    text
}

fn row(name: &str, sizes: &Sizes) -> [String; 7] {
    let Sizes { text, rodata, data, bss, .. } = sizes;
    let numbers = [*text, *rodata, *data, *bss, sizes.flash(), sizes.ram()];
    let [a, b, c, d, e, f] = numbers.map(|number| number.to_string());
    [name.to_owned(), a, b, c, d, e, f]
}

fn difference(plain: &Sizes, bare: &Sizes) -> [String; 7] {
    let of = |get: fn(&Sizes) -> u64| {
        let (with, without) = (get(plain) as i64, get(bare) as i64);
        format!("{:+}", with - without)
    };
    [
        "  difference".to_owned(),
        of(|sizes| sizes.text),
        of(|sizes| sizes.rodata),
        of(|sizes| sizes.data),
        of(|sizes| sizes.bss),
        of(Sizes::flash),
        of(Sizes::ram),
    ]
}

pub(super) fn for_readme(compiler: &str, boards: &[Measured]) -> String {
    let mut text = format!(
        "Bytes, {compiler}, opt-level z, fat LTO, without log. RAM is static RAM, without the \
         stack.\n\n\
         | image | flash | RAM | of it the client: flash | RAM | its code alone |\n\
         |---|---|---|---|---|---|\n"
    );
    for Measured { folder, plain, bare, .. } in boards {
        let _ = writeln!(
            text,
            "| `{folder}` | {} | {} | {} | {} | {} |",
            plain.flash(),
            plain.ram(),
            plain.flash().saturating_sub(bare.flash()),
            plain.ram().saturating_sub(bare.ram()),
            plain.ottla()
        );
    }
    for Measured { target, plain, .. } in boards.iter().filter(|board| is_thumbv7em(board)) {
        let _ = write!(text, "\nCode by module on {target}: ");
        let mut modules: Vec<_> = plain.modules.iter().collect();
        modules.sort_by_key(|(module, size)| (!is_ottla(module), u64::MAX - **size));
        let modules: Vec<String> =
            modules.iter().map(|(module, size)| format!("{module} {size}")).collect();
        let _ = writeln!(text, "{}.", modules.join(", "));
    }
    text
}

fn is_thumbv7em(board: &Measured) -> bool {
    board.target.starts_with("thumbv7em")
}
