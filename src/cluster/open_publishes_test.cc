#include "cluster/open_publishes.h"

#include <doctest/doctest.h>

using namespace warren::cluster;
using warren::broker::PublishSeq;

TEST_CASE("a publish ends when the last of its queues has answered") {
  OpenPublishes open;
  open.add(PublishSeq{1}, 2, 10);
  open.add(PublishSeq{2}, 1, 5);
  CHECK(open.size() == 2);
  CHECK(open.bytes() == 15);
  CHECK(!open.finish(PublishSeq{1}, false));
  CHECK(open.finish(PublishSeq{2}, false) == false);
  CHECK(!open.finish(PublishSeq{2}, false));
  CHECK(open.bytes() == 10);
  CHECK(open.copies() == 1);
  CHECK(open.finish(PublishSeq{1}, true) == true);
  CHECK(open.copies() == 0);
  CHECK(open.size() == 0);
  CHECK(open.bytes() == 0);
}

TEST_CASE("one queue that rejects is enough, and numbers may be left out") {
  OpenPublishes open;
  open.add(PublishSeq{3}, 2, 1);
  open.add(PublishSeq{7}, 1, 1);
  CHECK(!open.finish(PublishSeq{5}, true));
  CHECK(!open.finish(PublishSeq{3}, true));
  CHECK(open.finish(PublishSeq{3}, false) == true);
  CHECK(open.finish(PublishSeq{7}, false) == false);
  CHECK(!open.finish(PublishSeq{8}, false));
  open.add(PublishSeq{9}, 1, 1);
  CHECK(open.finish(PublishSeq{9}, false) == false);
}
