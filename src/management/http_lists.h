#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "management/json.h"

namespace warren::management {

using ListQuery = std::map<std::string, std::string, std::less<>>;

/// A list as the query asks for it: `sort`, `sort_reverse`, `columns`, and with `page` one page
/// of it (`page_size`, `name`, `use_regex`) inside an object with the counts. invalid_argument
/// for a page that there is not.
base::Result<Json> shape_list(JsonArray list, const ListQuery& query);
/// One object with the `columns` that the query asks for; anything else as it is.
Json shape_object(Json object, const ListQuery& query);

}  // namespace warren::management
