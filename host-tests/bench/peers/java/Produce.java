import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Produces by Kafka's own client. Flags and output are those of the other clients, given in client/src/lib.rs. */
public final class Produce {
    private static final int LOOK = 64;

    private final Map<String, String> flags = new HashMap<>();
    private final LongAdder written = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final Callback counted = (metadata, error) -> (error == null ? written : failed).increment();
    private final String topic;
    private final int partitions;
    private final int keySize;
    private final int tasks;
    private final byte[] value;
    private KafkaProducer<byte[], byte[]> producer;

    private Produce(String[] arguments) {
        for (int at = 0; at < arguments.length; at++) {
            boolean alone = at + 1 == arguments.length || arguments[at + 1].startsWith("--");
            flags.put(arguments[at].substring(2), alone ? "" : arguments[++at]);
        }
        topic = flags.get("topic");
        partitions = (int) number("partitions", 1);
        keySize = (int) number("key-size", 0);
        tasks = (int) number("tasks", 1);
        value = new byte[(int) number("size", 100)];
        Arrays.fill(value, (byte) 'v');
    }

    private long number(String flag, long otherwise) {
        return flags.containsKey(flag) ? Long.parseLong(flags.get(flag)) : otherwise;
    }

    private ProducerRecord<byte[], byte[]> record(long number) {
        if (keySize == 0) {
            return new ProducerRecord<>(topic, (int) (number % partitions), null, value);
        }
        byte[] key = new byte[keySize];
        Arrays.fill(key, (byte) 'k');
        ByteBuffer.wrap(key).order(ByteOrder.LITTLE_ENDIAN).putLong(number);
        return new ProducerRecord<>(topic, key, value);
    }

    /** Every so manieth record, until a number or a moment; returns how many were sent. */
    private long share(long first, long step, long end, long until) {
        long sent = 0;
        for (long number = first; number < end; number += step) {
            if (until != 0 && number % LOOK == 0 && System.nanoTime() - until >= 0) {
                break;
            }
            producer.send(record(number), counted);
            sent++;
        }
        return sent;
    }

    private void check(String what, boolean right) {
        if (!right) {
            throw new IllegalStateException(what + ": " + written + " written, " + failed + " failed");
        }
    }

    private static double cpuSeconds() {
        var system = (com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }

    private void pause(String word) throws IOException {
        if (flags.containsKey("overload")) {
            System.out.println(word);
            int read = System.in.read();
            while (read >= 0 && read != '\n') {
                read = System.in.read();
            }
        }
    }

    private void run() throws Exception {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", flags.get("bootstrap"));
        config.put("acks", "all");
        config.put("enable.idempotence", true);
        config.put("max.in.flight.requests.per.connection", 5);
        config.put("linger.ms", (int) number("linger-ms", 5));
        config.put("batch.size", (int) number("batch-size", 65536));
        config.put("max.request.size", (int) number("max-request-size", 1048576));
        config.put("buffer.memory", number("buffer-memory", 32 << 20));
        config.put("compression.type", "none");
        producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        long warmup = number("warmup", 0);
        long records = number("records", 0);
        boolean latency = flags.containsKey("latency");
        if (latency) {
            // What comes is as what has warmed up: one at a time.
            for (long at = 0; at < warmup; at++) {
                producer.send(record(at), counted).get();
            }
        } else {
            share(0, 1, warmup, 0);
        }
        producer.flush();
        check("of " + warmup + " records that warm up", written.sum() == warmup && failed.sum() == 0);
        pause("warm");

        double cpuBefore = cpuSeconds();
        long begun = System.nanoTime();
        long until = flags.containsKey("overload") ? begun + number("overload", 0) * 1_000_000_000L : 0;
        long[] latencies = new long[latency ? (int) records : 0];
        LongAdder sent = new LongAdder();
        if (latency) {
            for (int at = 0; at < records; at++) {
                long from = System.nanoTime();
                producer.send(record(at), counted).get();
                latencies[at] = System.nanoTime() - from;
                sent.increment();
            }
        } else {
            Thread[] threads = new Thread[tasks];
            for (int at = 0; at < tasks; at++) {
                int first = at;
                long end = until != 0 ? Long.MAX_VALUE : records;
                threads[at] = new Thread(() -> sent.add(share(first, tasks, end, until)));
                threads[at].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        producer.flush();
        double wall = (System.nanoTime() - begun) / 1e9;
        double cpu = cpuSeconds();
        pause("done");
        long done = written.sum() - warmup;
        check("of " + sent + " records, " + records + " wanted",
            failed.sum() == 0 && done == sent.sum() && (until != 0 || done == records));
        StringBuilder line = new StringBuilder(String.format(Locale.ROOT,
            "{\"client\":\"java\",\"written\":%d,\"failed\":0,\"wall_s\":%.9f,\"cpu_s\":%.9f",
            done, wall, cpu - cpuBefore));
        if (latency) {
            Arrays.sort(latencies);
            line.append(String.format(Locale.ROOT, ",\"p50_us\":%.3f,\"p99_us\":%.3f",
                at(latencies, 0.5), at(latencies, 0.99)));
        }
        System.out.println(line.append('}'));
        producer.close();
    }

    private static double at(long[] sorted, double share) {
        return sorted[(int) Math.round((sorted.length - 1) * share)] / 1e3;
    }

    public static void main(String[] arguments) throws Exception {
        new Produce(arguments).run();
    }
}
