#include "report.hpp"

#include <filesystem>
#include <utility>
#include <vector>

#include "html.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"
#include "report_data.hpp"
#include "report_template.hpp"

namespace mosaic::cli {
namespace {

std::string objectives_text(const db::Job& job) {
  std::vector<std::string> parts;
  for (const auto& objective : job.objectives)
    parts.push_back(objective.metric + (objective.maximise ? " (max)" : " (min)"));
  return core::join(parts);
}

/// 2024-05-01T10:00:00Z -> 2024-05-01 10:00:00 UTC.
std::string date_text(std::string date) {
  if (date.size() != 20 || date[10] != 'T' || date.back() != 'Z') return date;
  date[10] = ' ';
  return date.substr(0, 19) + " UTC";
}

/// Name and value of everything needed to know where the numbers come from; without what is empty.
std::string facts(const db::Job& job, bool has_models) {
  const std::vector<std::pair<const char*, std::string>> all = {
      {"Space", job.space},
      {"Task", job.task},
      {"Objectives", objectives_text(job)},
      {"Device", job.device},
      {"Threads", job.threads > 0 ? std::to_string(job.threads) : ""},
      {"Seed", std::to_string(job.seed)},
      {"Phase", job.phase},
      {"Created", date_text(job.created)},
      {"Updated", date_text(job.updated)},
      {"Mosaic", job.version},
      {"Revision", job.revision},
      {"Libraries", job.libraries},
      {"Data checksum", job.data_checksum},
      {"Space hash", job.space_hash},
      {"Job hash", job.config_hash},
      {"Models", has_models ? job.folder : ""},
  };
  std::string html = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : all) {
    if (value.empty()) continue;
    html += "<div><dt>" + std::string(name) + "</dt><dd>" + escape_html(value) + "</dd></div>\n";
  }
  return html + "</dl>\n";
}

std::string header(const db::Job& job, bool has_models) {
  std::string html = "<header>\n<p class=\"kind\">Mosaic report</p>\n<h1>" + escape_html(job.name) +
                     " <span class=\"status\" data-status=\"" + escape_html(job.status) + "\">" +
                     escape_html(job.status) + "</span></h1>\n<p id=\"summary\"></p>\n";
  if (!job.message.empty()) html += "<p class=\"message\">" + escape_html(job.message) + "</p>\n";
  html += facts(job, has_models) + "<details class=\"config\"><summary>Job file" +
          (job.config_path.empty() ? "" : " <code>" + escape_html(job.config_path) + "</code>") +
          "</summary>\n";
  if (job.config.empty())
    html += "<p class=\"missing\">The database holds no text of the job file.</p>";
  else
    html += "<pre>" + escape_html(job.config) + "</pre>";
  return html + "</details>\n</header>\n";
}

}  // namespace

std::string render_report(const db::Reader& database, const db::Job& job) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>";
  page += escape_html(job.name) + " – Mosaic report</title>\n";
  page += kReportHead;
  page += "</head>\n<body>\n<main>\n";
  page += header(job, database.state(job.id, "trained").has_value());
  page += kReportSections;
  page += "</main>\n<script type=\"application/json\" id=\"data\">";
  page += report_json(database, job);
  page += "</script>\n<script>\n";
  page += kReportPlots;
  page += "</script>\n<script>\n";
  page += kReportScript;
  page += "</script>\n</body>\n</html>\n";
  return page;
}

std::string default_report(const std::string& job, const std::string& db) {
  const std::filesystem::path path(db);
  return (path.parent_path() / (path.stem().string() + "-" + job + ".html")).string();
}

void write_report(const db::Reader& database, const db::Job& job, const std::string& path) {
  core::write_file_atomic(path, render_report(database, job));
}

}  // namespace mosaic::cli
