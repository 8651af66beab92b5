// Produces by franz-go and prints one line of JSON.
//
// Flags and output are those of the other clients, given in ../../client/src/lib.rs.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How often a goroutine that works against the clock looks at it, in records.
const look = 64

var (
	bootstrap  = flag.String("bootstrap", "", "address of a broker")
	topic      = flag.String("topic", "", "the topic")
	partitions = flag.Int("partitions", 1, "partitions of the topic, used in turn")
	records    = flag.Int("records", 0, "records that are measured")
	warmup     = flag.Int("warmup", 0, "records before those")
	size       = flag.Int("size", 100, "bytes of a value")
	keySize    = flag.Int("key-size", 0, "bytes of a key; 0: no key, and the partition is given")
	tasks      = flag.Int("tasks", 1, "goroutines that send at once")
	linger     = flag.Int("linger-ms", 5, "linger.ms")
	batchSize  = flag.Int("batch-size", 65536, "batch.size")
	maxRequest = flag.Int("max-request-size", 1048576, "max.request.size")
	memory     = flag.Int("buffer-memory", 32<<20, "buffer.memory")
	latency    = flag.Bool("latency", false, "one record at a time")
	overload   = flag.Int("overload", 0, "seconds in which as many records are sent as are taken")
)

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func pause(word string, input *bufio.Reader) {
	if *overload > 0 {
		fmt.Println(word)
		// The end of the input is an answer, too.
		_, _ = input.ReadString('\n')
	}
}

func main() {
	flag.Parse()
	options := []kgo.Opt{
		kgo.SeedBrokers(*bootstrap),
		kgo.RequiredAcks(kgo.AllISRAcks()), // idempotent, with five in flight, by default
		kgo.ProducerLinger(time.Duration(*linger) * time.Millisecond),
		kgo.ProducerBatchMaxBytes(int32(*batchSize)),
		kgo.BrokerMaxWriteBytes(int32(max(*maxRequest, 2*(*batchSize)))),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedBytes(*memory),
		kgo.MaxBufferedRecords(1 << 30), // bytes bound them, as in the others
	}
	if *keySize == 0 {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client, err := kgo.NewClient(options...)
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
	record := func(number int) *kgo.Record {
		if *keySize == 0 {
			return &kgo.Record{Topic: *topic, Partition: int32(number % *partitions), Value: value}
		}
		key := make([]byte, *keySize)
		binary.LittleEndian.PutUint64(key, uint64(number))
		return &kgo.Record{Topic: *topic, Key: key, Value: value}
	}
	ctx := context.Background()
	flush := func() {
		if err := client.Flush(ctx); err != nil {
			log.Fatal(err)
		}
	}
	share := func(first, step, end int, until time.Time) int64 {
		var sent int64
		for number := first; number < end; number += step {
			if !until.IsZero() && number%look == 0 && !time.Now().Before(until) {
				break
			}
			client.Produce(ctx, record(number), outcome)
			sent++
		}
		return sent
	}
	share(0, 1, *warmup, time.Time{})
	flush()
	if written.Load() != int64(*warmup) || failed.Load() != 0 {
		log.Fatalf("of %d records that warm up %d were written", *warmup, written.Load())
	}
	input := bufio.NewReader(os.Stdin)
	pause("warm", input)

	line := map[string]any{"client": "franz-go"}
	cpuBefore, begun := cpuSeconds(), time.Now()
	var sent atomic.Int64
	if *latency {
		var took []float64
		for number := range *records {
			from := time.Now()
			if err := client.ProduceSync(ctx, record(number)).FirstErr(); err != nil {
				log.Fatal(err)
			}
			took = append(took, float64(time.Since(from).Nanoseconds())/1e3)
			written.Add(1)
			sent.Add(1)
		}
		slices.Sort(took)
		at := func(share float64) float64 { return took[int(math.Round(float64(len(took)-1)*share))] }
		line["p50_us"], line["p99_us"] = at(0.5), at(0.99)
	} else {
		end, until := *records, time.Time{}
		if *overload > 0 {
			end, until = math.MaxInt, begun.Add(time.Duration(*overload)*time.Second)
		}
		var all sync.WaitGroup
		for first := range *tasks {
			all.Go(func() { sent.Add(share(first, *tasks, end, until)) })
		}
		all.Wait()
		flush()
	}
	wall, cpu := time.Since(begun).Seconds(), cpuSeconds()
	pause("done", input)
	done := written.Load() - int64(*warmup)
	if failed.Load() != 0 || done != sent.Load() || (*overload == 0 && done != int64(*records)) {
		log.Fatalf("of %d records %d were written, %d failed", sent.Load(), done, failed.Load())
	}
	line["written"], line["failed"] = done, failed.Load()
	line["wall_s"], line["cpu_s"] = wall, cpu-cpuBefore
	client.Close()
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		log.Fatal(err)
	}
}
