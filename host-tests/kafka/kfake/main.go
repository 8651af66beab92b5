// A cluster of franz-go's kfake, a second implementation of the protocol, and reading by franz-go's
// client. It is driven by the Rust crate beside it and is not meant to be run by hand.
//
//	kfake serve VERSION TOPIC PARTITIONS   three brokers; VERSION as v2.1, or newest. Tells their
//	                                       addresses, then takes commands and answers "ok" to each:
//	                                         move              every partition gets the next leader
//	                                         fail CODE COUNT   so many Produce requests are answered so
//	                                         recreate          the topic is deleted and made again;
//	                                                           partition 0 has the same leader
//	                                       It ends when standard input does.
//	kfake read BOOTSTRAP TOPIC             writes all records of a topic to standard output, as
//	                                       read-back of Harness.java does
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Nothing takes this long.
const patience = 60 * time.Second

const brokers = 3

func main() {
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 4 && arguments[0] == "serve":
		err = serve(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 3 && arguments[0] == "read":
		err = read(arguments[1], arguments[2])
	default:
		err = errors.New("expected serve VERSION TOPIC PARTITIONS, or read BOOTSTRAP TOPIC")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(version, topic, count string) error {
	partitions, err := strconv.ParseInt(count, 10, 32)
	if err != nil {
		return err
	}
	options := []kfake.Opt{kfake.NumBrokers(brokers), kfake.SeedTopics(int32(partitions), topic)}
	if version != "newest" {
		versions := kversion.FromString(version)
		if versions == nil {
			return fmt.Errorf("no such version: %s", version)
		}
		options = append(options, kfake.MaxVersions(versions))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return err
	}
	defer cluster.Close()
	// kfake chooses leaders at random.
	leaders := make([]int32, partitions)
	for partition := range leaders {
		leaders[partition] = int32(partition) % brokers
	}
	if err := lead(cluster, topic, leaders); err != nil {
		return err
	}
	fmt.Println(strings.Join(cluster.ListenAddrs(), ","))
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		if err := carryOut(cluster, strings.Fields(commands.Text()), topic, int32(partitions)); err != nil {
			fmt.Println("error", err)
		} else {
			fmt.Println("ok")
		}
	}
	return commands.Err()
}

func carryOut(cluster *kfake.Cluster, command []string, topic string, partitions int32) error {
	switch {
	case len(command) == 1 && command[0] == "move":
		return lead(cluster, topic, nextLeaders(cluster, topic, partitions))
	case len(command) == 1 && command[0] == "recreate":
		leaders := nextLeaders(cluster, topic, partitions)
		leaders[0] = cluster.LeaderFor(topic, 0)
		if err := cluster.DeleteTopic(topic); err != nil {
			return err
		}
		if err := cluster.CreateTopic(topic, partitions, nil); err != nil {
			return err
		}
		return lead(cluster, topic, leaders)
	case len(command) == 3 && command[0] == "fail":
		code, err := strconv.ParseInt(command[1], 10, 16)
		if err != nil {
			return err
		}
		count, err := strconv.Atoi(command[2])
		if err != nil {
			return err
		}
		named := kerr.TypedErrorForCode(int16(code))
		if named == nil {
			return fmt.Errorf("no error has code %d", code)
		}
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: named, Count: count})
		return nil
	default:
		return fmt.Errorf("no such command: %q", command)
	}
}

// By partition: the broker after the one that leads it.
func nextLeaders(cluster *kfake.Cluster, topic string, partitions int32) []int32 {
	leaders := make([]int32, partitions)
	for partition := range leaders {
		leaders[partition] = (cluster.LeaderFor(topic, int32(partition)) + 1) % brokers
	}
	return leaders
}

func lead(cluster *kfake.Cluster, topic string, leaders []int32) error {
	for partition, leader := range leaders {
		if err := cluster.MoveTopicPartition(topic, int32(partition), leader); err != nil {
			return err
		}
	}
	return nil
}

// What a partition holds when reading begins.
type span struct{ beginning, end int64 }

func read(bootstrap, topic string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	spans, err := spans(ctx, client, topic)
	if err != nil {
		return err
	}
	var numbers []int32
	offsets := make(map[int32]kgo.Offset)
	for number, span := range spans {
		numbers = append(numbers, number)
		if span.beginning < span.end {
			offsets[number] = kgo.NewOffset().At(span.beginning)
		}
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	out := bufio.NewWriter(os.Stdout)
	writeInts(out, int32(len(numbers)))
	for _, number := range numbers {
		writeInts(out, number)
		writeLongs(out, spans[number].beginning, spans[number].end)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
	for len(offsets) > 0 {
		fetches := client.PollFetches(ctx)
		for _, failure := range fetches.Errors() {
			return fmt.Errorf("partition %d: %w", failure.Partition, failure.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			end := spans[record.Partition].end
			if record.Offset < end {
				writeRecord(out, record)
			}
			if record.Offset >= end-1 {
				delete(offsets, record.Partition)
			}
		})
	}
	if err := out.WriteByte('E'); err != nil {
		return err
	}
	return out.Flush()
}

func spans(ctx context.Context, client *kgo.Client, topic string) (map[int32]*span, error) {
	ask := kmsg.NewPtrMetadataRequest()
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = kmsg.StringPtr(topic)
	ask.Topics = append(ask.Topics, wanted)
	metadata, err := ask.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(metadata.Topics) != 1 {
		return nil, fmt.Errorf("%d topics called %s", len(metadata.Topics), topic)
	}
	if err := kerr.ErrorForCode(metadata.Topics[0].ErrorCode); err != nil {
		return nil, err
	}
	spans := make(map[int32]*span)
	for _, partition := range metadata.Topics[0].Partitions {
		spans[partition.Partition] = &span{-1, -1}
	}
	// -2 asks for the first offset, -1 for the one after the last.
	for _, timestamp := range []int64{-2, -1} {
		list := kmsg.NewPtrListOffsetsRequest()
		list.ReplicaID = -1
		of := kmsg.NewListOffsetsRequestTopic()
		of.Topic = topic
		for number := range spans {
			partition := kmsg.NewListOffsetsRequestTopicPartition()
			partition.Partition = number
			partition.Timestamp = timestamp
			of.Partitions = append(of.Partitions, partition)
		}
		list.Topics = append(list.Topics, of)
		// Goes to the leaders, in parts.
		for _, shard := range client.RequestSharded(ctx, list) {
			if shard.Err != nil {
				return nil, shard.Err
			}
			for _, answered := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
				for _, partition := range answered.Partitions {
					if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
						return nil, err
					}
					if timestamp == -2 {
						spans[partition.Partition].beginning = partition.Offset
					} else {
						spans[partition.Partition].end = partition.Offset
					}
				}
			}
		}
	}
	for number, span := range spans {
		if span.beginning < 0 || span.end < 0 {
			return nil, fmt.Errorf("no offsets of partition %d", number)
		}
	}
	return spans, nil
}

func writeRecord(out io.Writer, record *kgo.Record) {
	write(out, []byte{'R'})
	writeInts(out, record.Partition)
	writeLongs(out, record.Offset, record.Timestamp.UnixMilli())
	writeBytes(out, record.Key)
	writeBytes(out, record.Value)
	writeInts(out, int32(len(record.Headers)))
	for _, header := range record.Headers {
		writeBytes(out, []byte(header.Key))
		writeBytes(out, header.Value)
	}
}

// Length and bytes; the length of null is -1.
func writeBytes(out io.Writer, bytes []byte) {
	if bytes == nil {
		writeInts(out, -1)
		return
	}
	writeInts(out, int32(len(bytes)))
	write(out, bytes)
}

func writeInts(out io.Writer, numbers ...int32) {
	for _, number := range numbers {
		write(out, binary.BigEndian.AppendUint32(nil, uint32(number)))
	}
}

func writeLongs(out io.Writer, numbers ...int64) {
	for _, number := range numbers {
		write(out, binary.BigEndian.AppendUint64(nil, uint64(number)))
	}
}

// The writer is buffered and keeps its first error for Flush.
func write(out io.Writer, bytes []byte) {
	_, _ = out.Write(bytes)
}
