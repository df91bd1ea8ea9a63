// What an application written with amqp091-go does, against the broker at HOST PORT.
// Prints a line for each step that went well; ends with 0, or with a message and 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const count = 500

var ctx = context.Background()

func ok(step string) { fmt.Println("ok:", step) }

func must(err error) {
	if err != nil {
		log.Panic(err)
	}
}

func check(what string, expected, got any) {
	if !reflect.DeepEqual(expected, got) {
		log.Panicf("%s: expected %v, got %v", what, expected, got)
	}
}

func codeOf(err error) int {
	var failure *amqp.Error
	if !errors.As(err, &failure) {
		log.Panicf("not a refusal of the broker: %v", err)
	}
	return failure.Code
}

func url(password string) string {
	return fmt.Sprintf("amqp://guest:%s@%s:%s/", password, os.Args[1], os.Args[2])
}

func dial() (*amqp.Connection, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("journey")
	return amqp.DialConfig(url("guest"), amqp.Config{Heartbeat: 5 * time.Second, Properties: properties})
}

func open(connection *amqp.Connection) *amqp.Channel {
	channel, err := connection.Channel()
	must(err)
	return channel
}

// private declares a queue of this connection alone and gives its name.
func private(channel *amqp.Channel, arguments amqp.Table) string {
	queue, err := channel.QueueDeclare("", false, false, true, false, arguments)
	must(err)
	return queue.Name
}

func publish(channel *amqp.Channel, queue, body string) {
	must(channel.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, Body: []byte(body)}))
}

func get(channel *amqp.Channel, queue string, autoAck bool) amqp.Delivery {
	message, found, err := channel.Get(queue, autoAck)
	must(err)
	check("a message in "+queue, true, found)
	return message
}

func consume(channel *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	deliveries, err := channel.Consume(queue, "", autoAck, false, false, false, nil)
	must(err)
	return deliveries
}

func refusedPassword() {
	_, err := amqp.Dial(url("wrong"))
	check("code", amqp.AccessRefused, codeOf(err))
	check("the client's own error", amqp.ErrCredentials.Reason, err.(*amqp.Error).Reason)
	ok("refused password")
}

// A confirm may be here before the library has noted the publish; its deferred confirmations are never
// told of that one then, while who listens is.
func listen(channel *amqp.Channel) <-chan amqp.Confirmation {
	must(channel.Confirm(false))
	return channel.NotifyPublish(make(chan amqp.Confirmation, count))
}

func checkConfirmed(confirms <-chan amqp.Confirmation, expected uint64) {
	for tag := uint64(1); tag <= expected; tag++ {
		check("confirmed", amqp.Confirmation{DeliveryTag: tag, Ack: true}, <-confirms)
	}
}

// Published with confirms, consumed in order with a prefetch and manual acknowledgements.
func publishAndConsume(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	queue, err := channel.QueueDeclare("go.orders", true, false, false, false, nil)
	must(err)
	confirms := listen(channel)
	for number := 0; number < count; number++ {
		publish(channel, queue.Name, strconv.Itoa(number))
	}
	checkConfirmed(confirms, count)
	must(channel.Qos(20, 0, false))
	deliveries := consume(channel, queue.Name, false)
	for number := 0; number < count; number++ {
		message := <-deliveries
		check("order", strconv.Itoa(number), string(message.Body))
		must(message.Ack(false))
	}
	left, err := channel.QueueDelete(queue.Name, false, false, false)
	must(err)
	check("left", 0, left)
	ok("publish and consume")
}

func requeue(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	queue := private(channel, nil)
	publish(channel, queue, "again")
	first := get(channel, queue, false)
	check("redelivered", false, first.Redelivered)
	must(first.Reject(true))
	second := get(channel, queue, false)
	check("redelivered", true, second.Redelivered)
	must(second.Ack(false))
	_, found, err := channel.Get(queue, false)
	must(err)
	check("found", false, found)
	ok("requeue")
}

func deadLetter(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	must(channel.ExchangeDeclare("go.dead", amqp.ExchangeFanout, false, true, false, false, nil))
	dead := private(channel, nil)
	must(channel.QueueBind(dead, "", "go.dead", false, nil))
	queue := private(channel, amqp.Table{"x-dead-letter-exchange": "go.dead"})
	publish(channel, queue, "bad")
	message := get(channel, queue, false)
	must(message.Nack(false, false))
	message = <-consume(channel, dead, true)
	check("body", "bad", string(message.Body))
	death := message.Headers["x-death"].([]any)[0].(amqp.Table)
	check("reason", "rejected", death["reason"])
	check("queue", queue, death["queue"])
	check("count", int64(1), death["count"])
	check("first queue", queue, message.Headers["x-first-death-queue"])
	ok("dead letter")
}

func returned(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	must(channel.PublishWithContext(ctx, "", "go.nobody", true, false,
		amqp.Publishing{Body: []byte("lost")}))
	back := <-returns
	check("code", uint16(amqp.NoRoute), back.ReplyCode)
	check("body", "lost", string(back.Body))
	ok("returned")
}

func properties(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	now := time.Now().Truncate(time.Second)
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"text": "ä", "byte": int8(-7), "short": int16(-300), "int": int32(-70000),
			"long": int64(1) << 40, "float": float32(0.5), "double": 0.25, "truth": true,
			"nothing": nil, "bytes": []byte{0, 255}, "time": now,
			"decimal": amqp.Decimal{Scale: 2, Value: 314},
			"table":   amqp.Table{"deep": amqp.Table{"er": int32(1)}},
			"list":    []any{int32(1), "two"},
		},
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		Priority: 5, CorrelationId: "7", ReplyTo: "somewhere", Expiration: "60000",
		MessageId: "id", Timestamp: now, Type: "order", UserId: "guest", AppId: "journey",
	}
	queue := private(channel, nil)
	must(channel.PublishWithContext(ctx, "", queue, false, false, sent))
	got := get(channel, queue, true)
	check("headers", sent.Headers, got.Headers)
	check("properties", sent, amqp.Publishing{
		Headers: sent.Headers, ContentType: got.ContentType, ContentEncoding: got.ContentEncoding,
		DeliveryMode: got.DeliveryMode, Priority: got.Priority, CorrelationId: got.CorrelationId,
		ReplyTo: got.ReplyTo, Expiration: got.Expiration, MessageId: got.MessageId,
		Timestamp: got.Timestamp, Type: got.Type, UserId: got.UserId, AppId: got.AppId,
	})
	ok("properties")
}

func precondition(connection *amqp.Connection) {
	channel, other := open(connection), open(connection)
	defer channel.Close()
	_, err := channel.QueueDeclare("go.args", false, false, true, false, nil)
	must(err)
	closed := other.NotifyClose(make(chan *amqp.Error, 1))
	_, err = other.QueueDeclare("go.args", false, false, true, false, amqp.Table{"x-max-length": 1})
	check("code", amqp.PreconditionFailed, codeOf(err))
	check("closed", amqp.PreconditionFailed, (<-closed).Code)
	_, err = channel.QueueDeclarePassive("go.args", false, false, true, false, nil)
	must(err)
	ok("precondition")
}

func replyTo(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	requests := private(channel, nil)
	incoming := consume(channel, requests, true)
	replies := consume(channel, "amq.rabbitmq.reply-to", true)
	for _, word := range []string{"one", "two"} {
		must(channel.PublishWithContext(ctx, "", requests, false, false, amqp.Publishing{
			CorrelationId: word, ReplyTo: "amq.rabbitmq.reply-to", Body: []byte(word)}))
		request := <-incoming
		must(channel.PublishWithContext(ctx, "", request.ReplyTo, false, false, amqp.Publishing{
			CorrelationId: request.CorrelationId, Body: []byte(strings.ToUpper(string(request.Body)))}))
		reply := <-replies
		check("reply", strings.ToUpper(word), string(reply.Body))
		check("correlation", word, reply.CorrelationId)
	}
	ok("reply-to")
}

func transaction(connection *amqp.Connection) {
	channel := open(connection)
	defer channel.Close()
	queue := private(channel, nil)
	must(channel.Tx())
	publish(channel, queue, "kept")
	must(channel.TxCommit())
	publish(channel, queue, "forgotten")
	must(channel.TxRollback())
	check("committed", "kept", string(get(channel, queue, true).Body))
	_, found, err := channel.Get(queue, true)
	must(err)
	check("rolled back", false, found)
	ok("transaction")
}

func deletedQueue(connection *amqp.Connection) {
	channel, other := open(connection), open(connection)
	defer channel.Close()
	defer other.Close()
	_, err := channel.QueueDeclare("go.gone", true, false, false, false, nil)
	must(err)
	cancelled := channel.NotifyCancel(make(chan string, 1))
	deliveries, err := channel.Consume("go.gone", "tag", false, false, false, false, nil)
	must(err)
	_, err = other.QueueDelete("go.gone", false, false, false)
	must(err)
	check("cancelled", "tag", <-cancelled)
	_, open := <-deliveries
	check("deliveries open", false, open)
	ok("deleted queue")
}

// The client has no recovery of its own; an application is told and dials again.
func recovery(connection *amqp.Connection) {
	channel := open(connection)
	_, err := channel.QueueDeclare("go.kept", true, false, false, false, nil)
	must(err)
	confirms := listen(channel)
	publish(channel, "go.kept", "before")
	checkConfirmed(confirms, 1)
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	fmt.Println("restart the broker")
	check("code", amqp.ConnectionForced, (<-closed).Code)
	for connection, err = dial(); err != nil; connection, err = dial() {
		time.Sleep(50 * time.Millisecond)
	}
	channel = open(connection)
	check("kept", "before", string(get(channel, "go.kept", true).Body))
	_, err = channel.QueueDelete("go.kept", false, false, false)
	must(err)
	must(connection.Close())
	ok("recovery")
}

func main() {
	refusedPassword()
	connection, err := dial()
	must(err)
	for _, step := range []func(*amqp.Connection){
		publishAndConsume, requeue, deadLetter, returned, properties, precondition, replyTo,
		transaction, deletedQueue, recovery,
	} {
		step(connection)
	}
}
