// Produces by franz-go, the cheapest of the other clients, and prints one line of JSON.
//
// Flags and output are those of the other clients, given in src/lib.rs of the package.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Counts what is written to brokers.
type shape struct {
	requests, batches, batchBytes atomic.Int64
}

func (s *shape) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == 0 && err == nil {
		s.requests.Add(1)
	}
}

func (s *shape) OnProduceBatchWritten(_ kgo.BrokerMetadata, _ string, _ int32, batch kgo.ProduceBatchMetrics) {
	s.batches.Add(1)
	s.batchBytes.Add(int64(batch.CompressedBytes))
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func main() {
	bootstrap := flag.String("bootstrap", "", "address of a broker")
	topic := flag.String("topic", "", "the topic")
	partitions := flag.Int("partitions", 1, "partitions of the topic, used in turn")
	records := flag.Int("records", 0, "how many records")
	size := flag.Int("size", 100, "bytes of a value")
	linger := flag.Int("linger-ms", 5, "linger.ms")
	batchSize := flag.Int("batch-size", 65536, "batch.size")
	memory := flag.Int("buffer-memory", 32<<20, "buffer.memory")
	buffered := flag.Int("buffered-records", 1<<30, "records that wait at most; bytes bound them, as in the others")
	flag.Parse()

	counts := &shape{}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(*bootstrap),
		kgo.RequiredAcks(kgo.AllISRAcks()), // idempotent and five in flight, by default
		kgo.ProducerLinger(time.Duration(*linger)*time.Millisecond),
		kgo.ProducerBatchMaxBytes(int32(*batchSize)),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedBytes(*memory),
		kgo.MaxBufferedRecords(*buffered),
		kgo.WithHooks(counts),
	)
	if err != nil {
		log.Fatal(err)
	}
	var written, failed atomic.Int64
	outcome := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Add(1)
			log.Print(err)
			return
		}
		written.Add(1)
	}
	value := make([]byte, *size)
	for i := range value {
		value[i] = 'v'
	}
	ctx := context.Background()
	start := time.Now()
	for i := range *records {
		record := &kgo.Record{Topic: *topic, Partition: int32(i % *partitions), Value: value}
		client.Produce(ctx, record, outcome)
	}
	if err := client.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	wall := time.Since(start).Seconds()
	client.Close()
	line := map[string]any{
		"client": "franz-go", "records": *records, "written": written.Load(), "failed": failed.Load(),
		"wall_s": wall, "requests": counts.requests.Load(), "batches": counts.batches.Load(),
		"batch_bytes": counts.batchBytes.Load(), "cpu_s": cpuSeconds(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
}
