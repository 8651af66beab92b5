// A producer and an administrator by franz-go, for the tests of the Rust crate beside it; not meant to be run by hand.
//
//	franz-go produce BOOTSTRAP TOPIC idempotent|plain none|snappy
//	    sends standard input, a record per line as KEY:VALUE, and tells PARTITION OFFSET KEY of each
//	franz-go administer BOOTSTRAP TOPIC
//	    makes a topic, tells what there is of it and of the cluster, and removes it
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Nothing takes this long.
const patience = 30 * time.Second

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 5 && arguments[0] == "produce":
		err = produce(ctx, arguments[1], arguments[2], arguments[3] == "idempotent", arguments[4] == "snappy")
	case len(arguments) == 3 && arguments[0] == "administer":
		err = administer(ctx, arguments[1], arguments[2])
	default:
		err = errors.New("expected produce BOOTSTRAP TOPIC KIND CODEC, or administer BOOTSTRAP TOPIC")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func produce(ctx context.Context, bootstrap, topic string, idempotent, compressed bool) error {
	codec := kgo.NoCompression()
	if compressed {
		codec = kgo.SnappyCompression()
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codec),
	}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), ":")
		if !found {
			return fmt.Errorf("no key: %s", lines.Text())
		}
		records = append(records, kgo.KeyStringRecord(key, value))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for _, result := range client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			return result.Err
		}
		fmt.Println(result.Record.Partition, result.Record.Offset, string(result.Record.Key))
	}
	return nil
}

func administer(ctx context.Context, bootstrap, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, step := range []func(context.Context, *kgo.Client, string) error{
		create, create, describe, settings, cluster, remove, remove,
	} {
		if err := step(ctx, client, topic); err != nil {
			return err
		}
	}
	return nil
}

func create(ctx context.Context, client *kgo.Client, topic string) error {
	wanted := kmsg.NewCreateTopicsRequestTopic()
	wanted.Topic, wanted.NumPartitions, wanted.ReplicationFactor = topic, 3, 2
	setting := kmsg.NewCreateTopicsRequestTopicConfig()
	setting.Name, setting.Value = "retention.ms", kmsg.StringPtr("5000")
	wanted.Configs = append(wanted.Configs, setting)
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, wanted)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		fmt.Println("create", topic.Topic, name(topic.ErrorCode))
	}
	return nil
}

func describe(ctx context.Context, client *kgo.Client, topic string) error {
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = kmsg.StringPtr(topic)
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, wanted)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		fmt.Println("topic", *topic.Topic, name(topic.ErrorCode))
		for _, partition := range topic.Partitions {
			fmt.Println("partition", partition.Partition, partition.Leader, partition.Replicas, partition.ISR)
		}
	}
	return nil
}

func settings(ctx context.Context, client *kgo.Client, topic string) error {
	wanted := kmsg.NewDescribeConfigsRequestResource()
	wanted.ResourceType, wanted.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	wanted.ConfigNames = []string{"retention.ms", "segment.bytes"}
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.Resources = append(request.Resources, wanted)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, resource := range answer.Resources {
		for _, setting := range resource.Configs {
			fmt.Println("setting", setting.Name, *setting.Value, setting.Source)
		}
	}
	return nil
}

// DescribeCluster, where there is one.
func cluster(ctx context.Context, client *kgo.Client, _ string) error {
	request := kmsg.NewPtrDescribeClusterRequest()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(versions.ApiKeys, func(listed kmsg.ApiVersionsResponseApiKey) bool {
		return listed.ApiKey == request.Key()
	}) {
		fmt.Println("no DescribeCluster")
		return nil
	}
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, broker := range answer.Brokers {
		fmt.Printf("broker %d %s:%d\n", broker.NodeID, broker.Host, broker.Port)
	}
	return nil
}

func remove(ctx context.Context, client *kgo.Client, topic string) error {
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.TopicNames = append(request.TopicNames, topic)
	wanted := kmsg.NewDeleteTopicsRequestTopic()
	wanted.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, wanted)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, topic := range answer.Topics {
		fmt.Println("delete", *topic.Topic, name(topic.ErrorCode))
	}
	return nil
}

func name(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return err.Message
	}
	return "done"
}
