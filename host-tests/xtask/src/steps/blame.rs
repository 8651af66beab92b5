//! Finds out which calls reach a panic, from a program that was linked in spite of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::no_panic;
use crate::command::{catch, read};
use crate::context::Context;

/// One call or jump between functions of a disassembled program.
#[derive(Debug, PartialEq, Eq)]
struct Call<'a> {
    address: &'a str,
    caller: &'a str,
    callee: &'a str,
}

/// A line for every place that reaches a panic at a level.
pub(super) fn panics(context: &Context, level: &str) -> Result<String> {
    let mut linked_anyway = no_panic::cargo(context, "rustc", level);
    linked_anyway.args(["--", "-Clink-arg=-Wl,--unresolved-symbols=ignore-all"]);
    let output = catch(&mut linked_anyway)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let program = context.root.join("target/no-panic").join(level).join("no-panic");
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble", "--no-show-raw-insn", "--demangle"]).arg(&program);
    let disassembly = read(&mut objdump).context("the places can be found with binutils only")?;
    let mut lines = BTreeSet::new();
    for Call { address, caller, callee } in calls_that_panic(&calls(&disassembly)) {
        let place = place(context, &program, address)?;
        lines.insert(format!("   {} is reached from {} at {place}", plain(callee), plain(caller)));
    }
    Ok(Vec::from_iter(lines).join("\n"))
}

/// The calls that leave the code at hand for one of the library's functions that panic.
fn calls_that_panic<'a>(calls: &'a [Call<'a>]) -> Vec<&'a Call<'a>> {
    let is_library = |name: &str| name.trim_start_matches('<').starts_with("core::");
    let mut panicking: BTreeSet<&str> = calls
        .iter()
        .flat_map(|call| [call.caller, call.callee])
        .filter(|name| name.contains("rust_begin_unwind") || name.starts_with("core::panicking::"))
        .collect();
    // Functions of the library that call one that panics do so too.
    loop {
        let before = panicking.len();
        for call in calls {
            if is_library(call.caller) && panicking.contains(call.callee) {
                panicking.insert(call.caller);
            }
        }
        if panicking.len() == before {
            break;
        }
    }
    let leaves =
        |call: &&Call<'_>| panicking.contains(call.callee) && !panicking.contains(call.caller);
    calls.iter().filter(leaves).collect()
}

/// Reads the output of `objdump --disassemble`.
fn calls(disassembly: &str) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    let mut caller = "";
    for line in disassembly.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            caller = name.1;
        } else if let Some((address, instruction)) = line.split_once(':') {
            let is_jump = instruction.split_whitespace().next().is_some_and(|operation| {
                operation.starts_with("call") || operation.starts_with('j')
            });
            let target = instruction.split_once(" <").and_then(|(_, rest)| rest.strip_suffix('>'));
            if let Some(callee) = target.filter(|target| is_jump && !target.contains("+0x")) {
                calls.push(Call { address: address.trim(), caller, callee });
            }
        }
    }
    calls
}

/// The line of our own code that an instruction came from, through any inlined library code.
fn place(context: &Context, program: &Path, address: &str) -> Result<String> {
    let mut addr2line = Command::new("addr2line");
    addr2line.args(["--inlines", "--exe"]).arg(program).arg(address);
    let frames = read(&mut addr2line)?;
    let is_ours = |frame: &&str| !frame.starts_with("/rustc/");
    let frame = frames.lines().find(is_ours).or_else(|| frames.lines().next()).unwrap_or("?");
    let root = format!("{}/", context.root.display());
    Ok(frame.strip_prefix(&root).unwrap_or(frame).to_owned())
}

/// A demangled name without its hash.
fn plain(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 => path,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISASSEMBLY: &str = "
0000000000001000 <_start>:
    1000:\tpush   %rax
    1001:\tcall   2000 <ottla::parse::h0123456789abcdef>
    1006:\tjmp    1006 <_start+0x6>

0000000000002000 <ottla::parse::h0123456789abcdef>:
    2000:\tlea    0x10(%rip),%rdi        # 3000 <core::panicking::panic>
    2007:\tjmp    3000 <core::option::unwrap_failed::h0123456789abcdef>

0000000000003000 <core::option::unwrap_failed::h0123456789abcdef>:
    3000:\tcall   4000 <core::panicking::panic_fmt>
";

    #[test]
    fn the_last_function_before_the_library_is_blamed() {
        let calls = calls(DISASSEMBLY);
        let blamed = calls_that_panic(&calls);
        assert_eq!(blamed.len(), 1, "{blamed:?}");
        assert_eq!(blamed[0].address, "2007");
        assert_eq!(plain(blamed[0].caller), "ottla::parse");
        assert_eq!(plain(blamed[0].callee), "core::option::unwrap_failed");
    }
}
