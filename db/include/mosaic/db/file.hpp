/// The file of a database as a whole, while nobody else has it open.
#pragma once

#include <string>
#include <vector>

namespace mosaic::db {

/// Brings what the write-ahead log beside a database holds into its file: from then on the file is
/// all there is of it, and may be moved. Closing a database tries that too, and says nothing where
/// it fails. Throws core::Error.
void take_log_in(const std::string& path);

/// Tables that the schema does not name: a user's own. Database::append() leaves those of the other
/// database out.
std::vector<std::string> own_tables(const std::string& path);

}  // namespace mosaic::db
