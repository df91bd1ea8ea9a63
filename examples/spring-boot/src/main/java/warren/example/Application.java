package warren.example;

import org.springframework.amqp.core.Queue;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;

@SpringBootApplication
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

    /** Declared, durable, as soon as there is a connection. */
    @Bean
    Queue queue(@Value("${example.queue}") String name) {
        return new Queue(name, true);
    }
}
