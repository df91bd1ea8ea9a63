package warren.example;

import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.stereotype.Component;

/** Prints each message of the queue, unless example.receive is false. */
@Component
class Receiver {
    @RabbitListener(queues = "${example.queue}", autoStartup = "${example.receive}")
    void receive(String message) {
        System.out.println("received: " + message);
    }
}
