import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;

/**
 * Kafka's admin client, kept running, since a Java machine takes seconds to start. It takes one command a line and
 * answers each with one line, "ok" and what was asked for, or "error" and why. It ends when standard input does.
 *
 * <pre>
 * create NAME PARTITIONS REPLICATION [KEY=VALUE]...
 * grow NAME PARTITIONS         how many there are to be in all
 * delete NAME
 * elect NAME                   preferred leaders of all partitions; answers how many changed
 * config NAME KEY              answers the value that is in effect for the topic
 * describe NAME                answers the topic's id, and for each partition LEADER/REPLICAS/IN-SYNC, - for no leader
 * </pre>
 */
final class Administration {
    /** Longer than any answer takes, also while nodes are missing. */
    private static final long PATIENCE_SECONDS = 60;

    /** A description that was asked of a node that stands still may take all of that; the next one asks another. */
    private static final long STUCK_SECONDS = 5;

    private final Admin admin;

    private Administration(Admin admin) {
        this.admin = admin;
    }

    static void serve(String bootstrap) throws IOException {
        Properties config = new Properties();
        config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        // A node may be gone or stand still: another one is asked soon.
        config.put(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, "3000");
        config.put(CommonClientConfigs.SOCKET_CONNECTION_SETUP_TIMEOUT_MS_CONFIG, "1000");
        config.put(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, "500");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try (Admin admin = Admin.create(config)) {
            Administration administration = new Administration(admin);
            for (String command = commands.readLine(); command != null; command = commands.readLine()) {
                answers.println(administration.answer(List.of(command.split(" "))));
            }
        }
    }

    private String answer(List<String> command) {
        try {
            return ("ok " + carryOut(command)).strip();
        } catch (Exception failure) {
            return "error " + failure.toString().replaceAll("\\s+", " ");
        }
    }

    private String carryOut(List<String> command) throws Exception {
        String name = command.get(1);
        switch (command.get(0)) {
            case "create" -> {
                Map<String, String> configs = new HashMap<>();
                for (String setting : command.subList(4, command.size())) {
                    String[] pair = setting.split("=", 2);
                    configs.put(pair[0], pair[1]);
                }
                NewTopic topic = new NewTopic(
                    name, Optional.of(Integer.valueOf(command.get(2))), Optional.of(Short.valueOf(command.get(3))));
                await(admin.createTopics(List.of(topic.configs(configs))).all());
                return "";
            }
            case "grow" -> {
                NewPartitions partitions = NewPartitions.increaseTo(Integer.parseInt(command.get(2)));
                await(admin.createPartitions(Map.of(name, partitions)).all());
                return "";
            }
            case "delete" -> {
                await(admin.deleteTopics(List.of(name)).all());
                return "";
            }
            case "elect" -> {
                return Integer.toString(elect(name));
            }
            case "config" -> {
                ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, name);
                return await(admin.describeConfigs(List.of(topic)).all()).get(topic).get(command.get(2)).value();
            }
            case "describe" -> {
                return describe(name);
            }
            default -> throw new IllegalArgumentException("no such command");
        }
    }

    private int elect(String name) throws Exception {
        Set<TopicPartition> partitions = topic(name).partitions().stream()
            .map(partition -> new TopicPartition(name, partition.partition()))
            .collect(Collectors.toSet());
        int elected = 0;
        for (Optional<Throwable> failure
                : await(admin.electLeaders(ElectionType.PREFERRED, partitions).partitions()).values()) {
            if (failure.isEmpty()) {
                elected += 1;
            } else if (!(failure.get() instanceof ElectionNotNeededException)) {
                throw new IllegalStateException(failure.get());
            }
        }
        return elected;
    }

    private String describe(String name) throws Exception {
        TopicDescription description = topic(name);
        List<String> words = new ArrayList<>();
        words.add(description.topicId().toString());
        for (TopicPartitionInfo partition : description.partitions()) {
            Node leader = partition.leader();
            words.add((leader == null ? "-" : leader.idString())
                + "/" + ids(partition.replicas()) + "/" + ids(partition.isr()));
        }
        return String.join(" ", words);
    }

    private TopicDescription topic(String name) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (true) {
            try {
                return await(admin.describeTopics(List.of(name)).allTopicNames(), STUCK_SECONDS).get(name);
            } catch (TimeoutException stuck) {
                if (System.nanoTime() > deadline) {
                    throw stuck;
                }
            }
        }
    }

    private static String ids(List<Node> nodes) {
        return nodes.stream().map(Node::idString).collect(Collectors.joining(","));
    }

    private static <T> T await(KafkaFuture<T> future) throws Exception {
        return await(future, PATIENCE_SECONDS);
    }

    private static <T> T await(KafkaFuture<T> future, long seconds) throws Exception {
        try {
            return future.get(seconds, TimeUnit.SECONDS);
        } catch (ExecutionException failure) {
            throw failure.getCause() instanceof Exception cause ? cause : failure;
        }
    }
}
