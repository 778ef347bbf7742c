/// The fixed parts of the report page.
#pragma once

namespace mosaic::cli {

extern const char* const kReportHead;      ///< style, and what catches errors of the script
extern const char* const kReportSections;  ///< empty sections that the script fills
extern const char* const kReportPlots;     ///< script: numbers as text, plots on canvas, tables
extern const char* const kReportScript;    ///< script: the sections

}  // namespace mosaic::cli
