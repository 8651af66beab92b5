//! Whose code an image is made of.
//!
//! Each instruction has a stack of inlined functions, the innermost first. It is Ottla's if one of
//! them is: a copy of bytes that the core asks for counts as the core's. It is put down to the
//! innermost of ours, so that a module is charged for what it says and not for what it calls.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use addr2line::{Context, Frame};
use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, SectionFlags, elf};

/// The smallest instruction; longer ones are counted in pieces of it.
const STEP: u64 = 2;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Bytes of code by module.
pub(super) fn of_code(file: &object::File<'_>, root: &Path) -> Result<BTreeMap<String, u64>> {
    let section = |id: SectionId| -> Result<Reader<'_>> {
        let data = file.section_by_name(id.name()).and_then(|section| section.data().ok());
        Ok(EndianSlice::new(data.unwrap_or_default(), LittleEndian))
    };
    let context = Context::from_dwarf(Dwarf::load(section)?).context("no debug information")?;
    let mut modules = BTreeMap::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(elf::SHF_EXECINSTR) == 0 {
            continue;
        }
        let end = section.address() + section.size();
        let mut address = section.address();
        while address < end {
            *modules.entry(module(&context, address, root)?).or_default() +=
                STEP.min(end - address);
            address += STEP;
        }
    }
    Ok(modules)
}

fn module(context: &Context<Reader<'_>>, address: u64, root: &Path) -> Result<String> {
    let mut frames = context.find_frames(address).skip_all_loads()?;
    let mut others = None;
    while let Some(Frame { location, .. }) = frames.next()? {
        let Some(file) = location.and_then(|location| location.file) else { continue };
        if let Some(ours) = ours(file, root) {
            return Ok(ours);
        }
        if others.is_none() || others == Some(STD) {
            others = Some(other(file));
        }
    }
    Ok(others.unwrap_or("unknown").to_owned())
}

/// The module of a file of the core or of the adapter.
fn ours(file: &str, root: &Path) -> Option<String> {
    let file = Path::new(file).strip_prefix(root).ok()?;
    if file.starts_with("adapters/embassy") {
        return Some("adapter".to_owned());
    }
    let inside = file.strip_prefix("core/src").ok()?;
    let mut parts = inside.components();
    match (parts.next(), parts.next()) {
        (Some(folder), Some(_)) => Some(format!("core/{}", folder.as_os_str().display())),
        _ => Some("core".to_owned()),
    }
}

/// Whether [`of_code`] named a module of the client so.
pub(super) fn is_ottla(module: &str) -> bool {
    module == "adapter" || module == "core" || module.starts_with("core/")
}

/// What the compiler brings.
const STD: &str = "std";

/// Parts of paths, and who is behind them.
const OTHERS: [(&str, &str); 9] = [
    ("/library/", STD),
    ("/compiler-builtins", STD),
    ("/compiler_builtins", STD),
    ("/smoltcp-", "smoltcp"),
    ("/managed-", "smoltcp"),
    ("/heapless-", "smoltcp"),
    ("/embassy-", "embassy"),
    ("firmware-examples/common", "node"),
    ("/", "board"),
];

fn other(file: &str) -> &'static str {
    let found = OTHERS.iter().find(|(part, _)| file.contains(part));
    found.map_or("board", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_down_to_modules() {
        let root = Path::new("/home/me/ottla");
        let ours = |file: &str| ours(&format!("/home/me/ottla/{file}"), root);
        assert_eq!(ours("core/src/producer/send.rs").as_deref(), Some("core/producer"));
        assert_eq!(ours("core/src/config.rs").as_deref(), Some("core"));
        assert_eq!(ours("adapters/embassy/src/net.rs").as_deref(), Some("adapter"));
        assert_eq!(ours("firmware-examples/common/src/node.rs"), None);
        assert_eq!(other("/home/me/registry/src/index/smoltcp-0.13.0/src/lib.rs"), "smoltcp");
        assert_eq!(other("/rustc/59807616e/library/core/src/mem.rs"), STD);
        assert_eq!(other("/home/me/ottla/firmware-examples/qemu/src/lib.rs"), "board");
    }
}
