//! Runs the core for callgrind: `instructions RECORDS PARTITIONS BATCH_SIZE`. Records of 100 bytes go
//! through batches of so many bytes; the difference between two runs is the core's. Prints how many
//! batches there were.

mod copy;

use std::env;

use instructions::Run;
use ottla::memory::Growable;
use ottla::{Config, Record};

fn main() {
    let mut arguments = env::args().skip(1).map(|text| text.parse::<u32>().expect("a number"));
    let mut argument = |name: &str| arguments.next().unwrap_or_else(|| panic!("{name} is missing"));
    let (records, partitions) = (argument("RECORDS"), argument("PARTITIONS"));
    let config = Config { batch_size: argument("BATCH_SIZE"), ..Config::new() };
    let mut run = Run::new(Growable::new(32 << 20), config, partitions);
    let value = [b'x'; 100];
    for number in 0..records {
        let partition = i32::try_from(number % partitions).expect("few");
        let record = Record::new(&value).partition(partition).timestamp(1_700_000_000_000);
        run.send(&record).expect("room");
    }
    run.flush();
    assert_eq!(run.written(), u64::from(records));
    println!("{}", run.batches());
}
