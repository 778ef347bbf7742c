#include "rank_page.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "html.hpp"
#include "mosaic/core/files.hpp"
#include "mosaic/core/text.hpp"
#include "rank_plot.hpp"
#include "report_template.hpp"

namespace mosaic::cli {
namespace {

const char* const kStyle = R"html(<style>
.plots {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr));
  gap: 22px 26px; margin-top: 14px;
}
.plots figure { margin: 0; min-width: 0; }
.plots figcaption { font-size: 14px; font-weight: 600; }
.plots figcaption span { color: var(--soft); font-weight: 400; }
.scatter { display: block; width: 100%; height: auto; touch-action: pan-y; }
.scatter text { fill: var(--soft); font-size: 12px; }
.scatter .axis { fill: var(--ink); }
.scatter .grid { stroke: var(--grid); }
.scatter .equal { stroke: var(--soft); stroke-dasharray: 4 4; }
.scatter .dot { fill: var(--accent); fill-opacity: .7; }
.scatter .best, .scatter .pick, .scatter .at { fill: none; stroke-width: 1.75; }
.scatter .best { stroke: var(--ink); }
.scatter .pick { stroke: var(--warn); stroke-dasharray: 3 2; }
.scatter .at { stroke: var(--ink); stroke-width: 2.5; }
table.data td.name { white-space: normal; min-width: 150px; }
.scroll + .note { margin-top: 12px; max-width: none; }
ul.note { padding-left: 20px; }
</style>
)html";

/// Points at the nearest network, in every plot at once.
const char* const kScript = R"js('use strict';
(() => {
  const {make, missing, column_text, error_text, folded, show_tip, hide_tip} = Mosaic;
  const data = JSON.parse(document.getElementById('data').textContent);
  const networks = data.networks;
  const with_error = (value, error, unit, show) =>
      missing(value) ? '–' : show(value) + (missing(error) ? '' : ' ± ' + error_text(error, unit));
  const columns =
      [{name: 'Truth', unit: data.truth.unit, mean: networks.truth, deviation: networks.deviation}]
          .concat(data.scores);
  for (const column of columns) column.show = column_text(column.mean, column.unit);

  const plots = [...document.querySelectorAll('svg.scatter')].map((svg) => ({
    svg: svg,
    ring: svg.querySelector('.at'),
    dots: new Map([...svg.querySelectorAll('.dot')].map((dot) => [
      Number(dot.dataset.i), {x: Number(dot.getAttribute('cx')), y: Number(dot.getAttribute('cy'))}
    ])),
  }));
  function point(i) {
    for (const plot of plots) {
      const dot = plot.dots.get(i) || {x: -20, y: -20};
      plot.ring.setAttribute('cx', dot.x);
      plot.ring.setAttribute('cy', dot.y);
    }
  }
  function nearest(plot, x, y, reach) {
    let found = -1;
    let least = reach * reach;
    for (const [i, dot] of plot.dots) {
      const distance = (dot.x - x) ** 2 + (dot.y - y) ** 2;
      if (distance < least) [found, least] = [i, distance];
    }
    return found;
  }
  function leave() {
    point(-1);
    hide_tip();
  }
  for (const plot of plots) {
    const moved = (event) => {
      const box = plot.svg.getBoundingClientRect();
      const scale = box.width / 500;
      const i = nearest(
          plot, (event.clientX - box.left) / scale, (event.clientY - box.top) / scale,
          event.pointerType === 'touch' ? 60 : 25);
      if (i < 0) return leave();
      point(i);
      const dot = plot.dots.get(i);
      const rows = columns.map((c) => [
        c.name, with_error(c.mean[i], c.deviation[i], c.unit, c.show)
      ]);
      show_tip(
          {arch: networks.arch[i], rows: rows}, box.left + scrollX + dot.x * scale,
          box.top + scrollY + dot.y * scale);
    };
    plot.svg.addEventListener('pointermove', moved);
    plot.svg.addEventListener('pointerdown', moved);
    plot.svg.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') leave();
    });
  }
  folded(document.getElementById('networks'), 'Numbers', () => ({
    rows: networks.arch.keys(),
    caption: 'Truth and scores of each network',
    sort: 1,
    descending: true,
    columns: [{title: 'Architecture', arch: true, value: (i) => networks.arch[i]}].concat(
        columns.map((c) => ({
          title: c.name,
          number: true,
          value: (i) => c.mean[i],
          show: (i) => c.show(c.mean[i]),
          error: (i) => missing(c.deviation[i]) ? '' :
              error_text(c.deviation[i], c.unit).replace(/[^0-9]+$/, '')
        }))),
  }));
})();
)js";

std::string plural(std::size_t count, const char* word) {
  return core::with_commas(static_cast<long long>(count)) + " " + word + (count == 1 ? "" : "s");
}

std::string header(const RankResult& result) {
  std::vector<std::string> seeds;
  for (const auto seed : result.seeds) seeds.push_back(std::to_string(seed));
  const std::pair<const char*, std::string> facts[] = {
      {"Space", result.space},
      {"Task", result.task},
      {"Truth", result.truth},
      {"Networks", core::with_commas(static_cast<long long>(result.networks.size()))},
      {"Supernet seeds", core::join(seeds)},
  };
  std::string html = "<header>\n<p class=\"kind\">Mosaic ranking</p>\n<h1>" +
                     escape_html(result.job) + "</h1>\n<dl class=\"facts\">\n";
  for (const auto& [name, value] : facts)
    if (!value.empty())
      html += "<div><dt>" + std::string(name) + "</dt><dd>" + escape_html(value) + "</dd></div>\n";
  return html + "</dl>\n</header>\n";
}

std::string heads(const RankResult& result, bool with_interval) {
  std::string html = "<tr>";
  html += with_interval ? "<th scope=\"col\">Score</th>" : "<th scope=\"col\">Score, seed</th>";
  for (const auto& statistic : rank_statistics()) {
    const bool unit = statistic.in_truth_unit && !result.truth_unit.empty();
    html += "<th scope=\"col\" class=\"num\" title=\"" + escape_html(statistic.meaning) + "\">" +
            statistic.title + (unit ? ", " + escape_html(result.truth_unit) : "") + "</th>";
    if (with_interval && statistic.of == &core::RankScores::kendall)
      html += "<th scope=\"col\" class=\"num\">τ, 95% over networks</th>";
  }
  return html + "</tr>\n";
}

std::string number_cell(const std::string& text) { return "<td class=\"num\">" + text + "</td>"; }

std::string summary_row(const RankResult& result, const RankedScore& score) {
  std::string html = "<tr><td class=\"name\" title=\"" + escape_html(score.description) + "\">" +
                     escape_html(score.name) + "</td>";
  for (const auto& statistic : rank_statistics()) {
    const auto text = [&](double value) { return rank_number(result, statistic, value); };
    const auto& interval = score.over_seeds.*statistic.over_seeds;
    const double half = interval.high - interval.mean;
    html +=
        number_cell(text(interval.mean) +
                    (std::isfinite(half) ? " <span class=\"pm\">± " + text(half) + "</span>" : ""));
    if (statistic.of == &core::RankScores::kendall)
      html += number_cell(text(score.bootstrap.low) + " … " + text(score.bootstrap.high));
  }
  return html + "</tr>\n";
}

std::string data_table(const std::string& caption, const std::string& head,
                       const std::string& body) {
  return "<div class=\"scroll\"><table class=\"data\">\n<caption class=\"spoken\">" + caption +
         "</caption>\n<thead>" + head + "</thead>\n<tbody>\n" + body + "</tbody></table></div>\n";
}

std::string seed_table(const RankResult& result) {
  std::string rows;
  for (const auto& score : result.scores) {
    if (score.per_seed.size() < 2) continue;
    for (std::size_t s = 0; s < score.per_seed.size(); ++s) {
      rows += "<tr><td class=\"name\">" + escape_html(score.name) + ", seed " +
              std::to_string(result.seeds[s]) + "</td>";
      for (const auto& statistic : rank_statistics())
        rows += number_cell(rank_number(result, statistic, score.per_seed[s].*statistic.of));
      rows += "</tr>\n";
    }
  }
  if (rows.empty()) return "";
  return "<details><summary>Each seed</summary>\n" +
         data_table("Statistics of each seed", heads(result, false), rows) + "</details>\n";
}

std::string statistics_section(const RankResult& result) {
  std::string rows;
  for (const auto& score : result.scores) rows += summary_row(result, score);
  std::string html = "<section id=\"statistics\"><h2>How well each score ranks</h2>\n";
  html +=
      "<p class=\"lead\">Mean over seeds ± half of its 95% interval (Student's t); a score "
      "without ± has one value for each network. The interval over networks is a bootstrap of "
      "the mean τ with " +
      plural(result.resamples, "resample") + ".</p>\n";
  html += data_table("Statistics of each score", heads(result, true), rows);
  html += "<p class=\"note\">";
  for (const auto& statistic : rank_statistics())
    html += "<b>" + std::string(statistic.title) + "</b>: " + escape_html(statistic.meaning) + ". ";
  html += "</p>\n<ul class=\"note\">\n";
  for (const auto& score : result.scores)
    if (!score.description.empty())
      html += "<li><b>" + escape_html(score.name) + "</b>: " + escape_html(score.description) +
              "</li>\n";
  return html + "</ul>\n" + seed_table(result) + "</section>\n";
}

std::string sharing_section(const RankResult& result) {
  const auto places = sharing_places(result);
  if (places.empty()) return "";
  std::string rows;
  for (const auto& place : places) {
    std::vector<std::string> questions;
    for (const auto& [question, count] : place.questions)
      questions.push_back(escape_html(question) + " (" + std::to_string(count) + ")");
    char order[32];
    std::snprintf(order, sizeof order, "%.1f", place.order);
    rows += "<tr><td class=\"name\">" + escape_html(place.place) + "</td>" +
            number_cell(std::to_string(place.supernets) + " of " +
                        std::to_string(result.sharing.size())) +
            number_cell(order) + "<td>" + core::join(questions, "; ") + "</td></tr>\n";
  }
  return "<section id=\"sharing\"><h2>Where sharing ended</h2>\n<p class=\"lead\">Layers or "
         "decisions where architectures got weights of their own, by what question they went apart "
         "and how often it was chosen.</p>\n" +
         data_table("Where sharing ended",
                    "<tr><th scope=\"col\">Place</th><th scope=\"col\" class=\"num\">Supernets</th>"
                    "<th scope=\"col\" class=\"num\">Chosen as number</th><th "
                    "scope=\"col\">Questions</th></tr>\n",
                    rows) +
         "</section>\n";
}

std::string plots_section(const RankResult& result) {
  std::string html =
      "<section id=\"plots\"><h2>Truth against score</h2>\n<p class=\"lead\">Each dot is a "
      "network, with its mean over seeds. The ring marks the best truth, the dashed ring the best "
      "mean score. <span class=\"mouse\">Point at a network to see it in every plot.</span></p>\n"
      "<div class=\"plots\">\n";
  for (std::size_t s = 0; s < result.scores.size(); ++s) {
    const auto& score = result.scores[s];
    html += "<figure><figcaption>" + escape_html(score.name) + " <span>τ " +
            rank_number(result, rank_statistics()[0], score.over_seeds.kendall.mean) +
            "</span></figcaption>\n" + rank_scatter(result, s) + "</figure>\n";
  }
  return html + "</div>\n</section>\n";
}

}  // namespace

std::string rank_page(const RankResult& result) {
  auto data = to_json(result);
  for (auto& score : data["scores"])
    for (const char* unused : {"values", "per_seed", "description"}) score.erase(unused);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" +
      escape_html(result.job) + " – Mosaic ranking</title>\n" + kReportHead + kStyle +
      "</head>\n<body>\n<main>\n";
  page +=
      header(result) + statistics_section(result) + sharing_section(result) + plots_section(result);
  page +=
      "<section id=\"networks\"><h2>Networks</h2>\n<noscript><p class=\"missing\">The table "
      "needs JavaScript (nothing is fetched).</p></noscript></section>\n";
  page += "<p class=\"spoken\" id=\"spoken\" aria-live=\"polite\"></p>\n</main>\n";
  page += "<script type=\"application/json\" id=\"data\">" + script_json(data) + "</script>\n";
  page += std::string("<script>\n") + kReportPlots + "</script>\n<script>\n" + kScript;
  return page + "</script>\n</body>\n</html>\n";
}

void write_rank_page(const RankResult& result, const std::string& path) {
  core::write_file_atomic(path, rank_page(result));
}

}  // namespace mosaic::cli
