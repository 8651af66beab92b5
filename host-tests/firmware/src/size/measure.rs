//! What is in an image: its sections, and whose code it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind, elf};

use super::modules;

/// Sizes of an image, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Code.
    pub(super) text: u64,
    /// Constants, the vector table among them.
    pub(super) rodata: u64,
    /// Variables with a first value, which lies in flash, too.
    pub(super) data: u64,
    /// Variables that begin as zero, or as anything.
    pub(super) bss: u64,
    /// Bytes of code by module, of Ottla's and of others.
    pub(super) modules: BTreeMap<String, u64>,
    /// Names and bytes of variables, the largest first.
    pub(super) variables: Vec<(String, u64)>,
}

impl Sizes {
    pub(super) fn flash(&self) -> u64 {
        self.text + self.rodata + self.data
    }

    /// Static RAM: the stack is not counted.
    pub(super) fn ram(&self) -> u64 {
        self.data + self.bss
    }

    /// Code of the client: the core and its adapter.
    pub(super) fn ottla(&self) -> u64 {
        let ours = self.modules.iter().filter(|(module, _)| modules::is_ottla(module));
        ours.map(|(_, size)| size).sum()
    }
}

pub(super) fn measure(image: &Path, root: &Path) -> Result<Sizes> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{}", image.display()))?;
    let mut sizes = Sizes::default();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let is = |flag: u32| sh_flags & u64::from(flag) != 0;
        if !is(elf::SHF_ALLOC) {
            continue;
        }
        let kind = match section.kind() {
            SectionKind::UninitializedData => &mut sizes.bss,
            _ if is(elf::SHF_EXECINSTR) => &mut sizes.text,
            _ if is(elf::SHF_WRITE) => &mut sizes.data,
            _ => &mut sizes.rodata,
        };
        *kind += section.size();
    }
    sizes.modules = modules::of_code(&file, root)?;
    sizes.variables = file
        .symbols()
        .filter(|symbol| symbol.kind() == object::SymbolKind::Data && is_in_ram(&file, symbol))
        .filter_map(|symbol| {
            let name = rustc_demangle::demangle(symbol.name().ok()?);
            Some((format!("{name:#}"), symbol.size()))
        })
        .collect();
    sizes.variables.sort_by_key(|(name, size)| (u64::MAX - size, name.clone()));
    Ok(sizes)
}

fn is_in_ram(file: &object::File<'_>, symbol: &object::Symbol<'_, '_>) -> bool {
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
    section.is_some_and(|section| match section.flags() {
        SectionFlags::Elf { sh_flags } => sh_flags & u64::from(elf::SHF_WRITE) != 0,
        _ => false,
    })
}
