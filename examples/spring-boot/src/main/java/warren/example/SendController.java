package warren.example;

import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** POST /send {"message": "..."} puts the text into the queue. */
@RestController
class SendController {
    record Message(String message) {}

    private final RabbitTemplate rabbit;
    private final String queue;

    SendController(RabbitTemplate rabbit, @Value("${example.queue}") String queue) {
        this.rabbit = rabbit;
        this.queue = queue;
    }

    @PostMapping("/send")
    void send(@RequestBody Message message) {
        rabbit.convertAndSend(queue, message.message());
    }
}
