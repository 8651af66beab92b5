//! What a producer cannot go below: copy, varint framing, hardware CRC, and the write to a socket.
//!
//! Nothing is answered, and a process of its own drains the socket. Flags and report are those of
//! the other clients.

use std::env::{args, current_exe};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use bench_client::{Flags, Measured, Told};
use clap::Parser;

const HEADER: usize = 61;

fn varint(to: &mut [u8; 24], at: &mut usize, value: usize) {
    let mut rest = value << 1; // zigzag, of what is never negative
    while rest > 0x7f {
        to[*at] = rest as u8 | 0x80;
        *at += 1;
        rest >>= 7;
    }
    to[*at] = rest as u8;
    *at += 1;
}

fn append(batch: &mut Vec<u8>, index: usize, value: &[u8]) {
    let (mut frame, mut at) = ([0; 24], 10); // the length goes before what it counts
    at += 2; // attributes, timestamp delta
    varint(&mut frame, &mut at, index);
    frame[at] = 1; // no key
    at += 1;
    varint(&mut frame, &mut at, value.len());
    let (mut length, mut length_end) = ([0; 24], 0);
    varint(&mut length, &mut length_end, at - 10 + value.len() + 1);
    frame[10 - length_end..10].copy_from_slice(&length[..length_end]);
    batch.extend_from_slice(&frame[10 - length_end..at]);
    batch.extend_from_slice(value);
    batch.push(0); // no headers
}

fn seal(batch: &mut [u8], records: usize) {
    let length = batch.len() as u32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2; // the format
    batch[23..27].copy_from_slice(&(records as u32 - 1).to_be_bytes());
    batch[57..HEADER].copy_from_slice(&(records as u32).to_be_bytes());
    let checksum = crc_fast::crc32_iscsi(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
}

/// The process at the other end.
fn receive() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let (mut stream, _) = listener.accept().expect("a connection");
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        total += count;
    }
    println!("{total}");
}

fn main() {
    if args().nth(1).as_deref() == Some("receive") {
        return receive();
    }
    let flags = Flags::parse();
    let (value, partitions) = (flags.value(), u64::from(flags.partitions));
    let mut receiver = Command::new(current_exe().expect("this program"));
    let mut receiver = receiver.arg("receive").stdout(Stdio::piped()).spawn().expect("a receiver");
    let mut said = BufReader::new(receiver.stdout.take().expect("piped")).lines();
    let address = said.next().expect("a line").expect("text");
    let mut stream = TcpStream::connect(address).expect("the receiver");
    let (mut measured, mut told, mut bytes) = (Measured::new(&flags), Told::default(), 0);
    measured.begin();
    let limit = flags.batch_size as usize;
    let mut open = vec![(vec![0; HEADER], 0); flags.partitions as usize];
    for record in 0..flags.records + partitions {
        let (batch, count) = &mut open[(record % partitions) as usize];
        let is_over = record >= flags.records;
        if *count > 0 && (is_over || batch.len() + value.len() + 24 > limit) {
            seal(batch, *count);
            stream.write_all(batch).expect("written");
            told.written += *count as u64;
            bytes += batch.len() as u64;
            *count = 0;
            batch.truncate(HEADER);
        }
        append(batch, *count, black_box(&value));
        *count += 1;
    }
    drop(stream);
    assert_eq!(said.next().expect("a line").expect("text"), bytes.to_string());
    told.sent = flags.records;
    measured.end("floor", Told::default(), told).expect("all is counted");
    receiver.wait().expect("the receiver");
}
