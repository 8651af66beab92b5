import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The Java side of the tests against a real Kafka: the broker's main program, and the official clients as a second
 * opinion. It is driven by the Rust crate beside it and is not meant to be run by hand.
 *
 * <pre>
 * broker CONFIG                                               runs one node until standard input ends
 * create-topics BOOTSTRAP (--topic NAME PARTITIONS [KEY=VALUE]...)...   creates topics, waits for their leaders
 * read-back BOOTSTRAP TOPIC                                   writes all records of a topic to standard output
 * administration BOOTSTRAP                                    takes commands from standard input: see that class
 * </pre>
 */
public final class Harness {
    /** Nothing the harness waits for takes this long on a healthy node. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Harness() {}

    public static void main(String[] arguments) throws Exception {
        List<String> rest = List.of(arguments).subList(Math.min(1, arguments.length), arguments.length);
        switch (arguments.length == 0 ? "" : arguments[0]) {
            case "broker" -> broker(rest.get(0));
            case "create-topics" -> createTopics(rest.get(0), rest.subList(1, rest.size()));
            case "read-back" -> readBack(rest.get(0), rest.get(1));
            case "administration" -> Administration.serve(rest.get(0));
            default -> throw new IllegalArgumentException(
                "expected broker, create-topics, read-back or administration");
        }
    }

    /**
     * Formats the storage named in the configuration unless that was done before, then runs the node. The node ends
     * by SIGTERM, or at once when standard input ends: so it cannot outlive the test that started it, however that
     * test came to its end.
     */
    private static void broker(String config) {
        Thread watch = new Thread(Harness::haltAtEndOfInput, "halt-at-end-of-input");
        watch.setDaemon(true);
        watch.start();
        // The nodes of a cluster have to agree on its id; apart from that any will do.
        String[] format = {"format", "--ignore-formatted", "--cluster-id", "b3R0bGEtaG9zdC10ZXN0cw", "--config", config};
        int status = kafka.tools.StorageTool.execute(format, System.err);
        if (status != 0) {
            System.exit(status);
        }
        kafka.Kafka.main(new String[] {config});
    }

    private static void haltAtEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                // Whatever comes is no end of input.
            }
        } catch (IOException closed) {
            // As good as the end.
        }
        Runtime.getRuntime().halt(1);
    }

    private static void createTopics(String bootstrap, List<String> specification) throws Exception {
        List<NewTopic> topics = parseTopics(specification);
        Properties config = new Properties();
        config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        try (Admin admin = Admin.create(config)) {
            admin.createTopics(topics).all().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
            awaitLeaders(admin, topics);
        }
    }

    private static List<NewTopic> parseTopics(List<String> specification) {
        List<NewTopic> topics = new ArrayList<>();
        int at = 0;
        while (at < specification.size()) {
            if (!specification.get(at).equals("--topic")) {
                throw new IllegalArgumentException("expected --topic, not " + specification.get(at));
            }
            NewTopic topic = new NewTopic(
                specification.get(at + 1), Optional.of(Integer.valueOf(specification.get(at + 2))), Optional.empty());
            at += 3;
            Map<String, String> configs = new HashMap<>();
            while (at < specification.size() && !specification.get(at).equals("--topic")) {
                String[] pair = specification.get(at).split("=", 2);
                configs.put(pair[0], pair[1]);
                at += 1;
            }
            topics.add(topic.configs(configs));
        }
        return topics;
    }

    /** Creation is answered by the controller; the node serves a topic a moment later. */
    private static void awaitLeaders(Admin admin, List<NewTopic> topics) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!haveLeaders(admin, topics)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("topics without leaders after " + PATIENCE.toSeconds() + " s");
            }
            Thread.sleep(20);
        }
    }

    private static boolean haveLeaders(Admin admin, List<NewTopic> topics) throws Exception {
        List<String> names = topics.stream().map(NewTopic::name).toList();
        Map<String, TopicDescription> descriptions;
        try {
            descriptions = admin.describeTopics(names).allTopicNames().get();
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw failure;
        }
        return topics.stream().allMatch(topic -> {
            var partitions = descriptions.get(topic.name()).partitions();
            return partitions.size() == topic.numPartitions()
                && partitions.stream().allMatch(partition -> partition.leader() != null);
        });
    }

    /**
     * Writes, big-endian: the number of partitions and for each its number, first offset and end offset (4, 8, 8
     * bytes); then the records of all partitions up to those end offsets; then the end mark. Records of one partition
     * come in the order of their offsets.
     */
    private static void readBack(String bootstrap, String topic) throws IOException {
        Properties config = new Properties();
        config.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        config.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_uncommitted");
        config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "5000");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            DataOutputStream out = new DataOutputStream(
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 18))) {
            List<TopicPartition> partitions = new ArrayList<>();
            for (PartitionInfo partition : consumer.partitionsFor(topic, PATIENCE)) {
                partitions.add(new TopicPartition(topic, partition.partition()));
            }
            if (partitions.isEmpty()) {
                throw new IllegalArgumentException("no such topic: " + topic);
            }
            Map<TopicPartition, Long> beginnings = consumer.beginningOffsets(partitions, PATIENCE);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, PATIENCE);
            writeRanges(out, beginnings, ends);
            consumer.assign(partitions);
            beginnings.forEach(consumer::seek);
            writeRecords(out, consumer, ends);
        }
    }

    private static void writeRanges(
            DataOutputStream out, Map<TopicPartition, Long> beginnings, Map<TopicPartition, Long> ends)
            throws IOException {
        TreeMap<Integer, TopicPartition> ordered = new TreeMap<>();
        ends.keySet().forEach(partition -> ordered.put(partition.partition(), partition));
        out.writeInt(ordered.size());
        for (TopicPartition partition : ordered.values()) {
            out.writeInt(partition.partition());
            out.writeLong(beginnings.get(partition));
            out.writeLong(ends.get(partition));
        }
    }

    private static void writeRecords(
            DataOutputStream out, KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends)
            throws IOException {
        Set<TopicPartition> unread = new HashSet<>(ends.keySet());
        long progressed = System.nanoTime();
        while (true) {
            // Positions and not records decide: the last offsets may be control records, which a consumer never shows.
            boolean progress = unread.removeIf(partition -> consumer.position(partition, PATIENCE) >= ends.get(partition));
            if (unread.isEmpty()) {
                break;
            }
            consumer.pause(consumer.assignment().stream().filter(partition -> !unread.contains(partition)).toList());
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                progress = true;
                if (record.offset() < ends.get(new TopicPartition(record.topic(), record.partition()))) {
                    writeRecord(out, record);
                }
            }
            if (progress) {
                progressed = System.nanoTime();
            } else if (System.nanoTime() - progressed > PATIENCE.toNanos()) {
                throw new IllegalStateException("no record for " + PATIENCE.toSeconds() + " s; unread: " + unread);
            }
        }
        out.writeByte('E');
    }

    private static void writeRecord(DataOutputStream out, ConsumerRecord<byte[], byte[]> record) throws IOException {
        out.writeByte('R');
        out.writeInt(record.partition());
        out.writeLong(record.offset());
        out.writeLong(record.timestamp());
        writeBytes(out, record.key());
        writeBytes(out, record.value());
        Header[] headers = record.headers().toArray();
        out.writeInt(headers.length);
        for (Header header : headers) {
            writeBytes(out, header.key().getBytes(StandardCharsets.UTF_8));
            writeBytes(out, header.value());
        }
    }

    /** Length and bytes; the length of null is -1. */
    private static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.write(bytes);
        }
    }
}
