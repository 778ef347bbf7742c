/// What was written of a job since somebody last looked: how a page follows a search.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mosaic/db/records.hpp"

namespace mosaic::db {

/// The last rows of a job that were seen; by default none was.
struct Cursor {
  std::int64_t measurement = 0;  ///< row id
  std::int64_t prediction = 0;   ///< row id
  std::int64_t evaluation = 0;   ///< its number
  std::int64_t step = -1;        ///< of training
  std::int64_t generation = -1;  ///< its number
  bool operator==(const Cursor&) const = default;
};

/// Rows of a job in the order in which they were written. What repeats itself (how something was
/// measured) stands once: a job has hundreds of thousands of measurements.
struct Changes {
  struct Architecture {
    std::int64_t id;  ///< row id, which names the network in all rows below
    std::string arch;
    std::string hash;
  };
  /// How measurements were made.
  struct How {
    std::string metric;
    std::string fidelity;
    std::string device;
    std::string unit;
    bool operator==(const How&) const = default;
  };
  struct Measured {
    std::int64_t architecture;
    std::size_t how;  ///< index into `hows`
    bool ok;
    double value;           ///< NaN where it failed
    double standard_error;  ///< NaN where not known
    double seconds;         ///< that taking it cost; NaN where not known
  };
  /// Who predicted what.
  struct By {
    std::string metric;
    std::string predictor;
    bool operator==(const By&) const = default;
  };
  struct Predicted {
    std::int64_t architecture;
    std::size_t by;  ///< index into `bys`
    double mean;
    double deviation;
  };
  struct Numbered {
    std::int64_t number;
    std::int64_t architecture;
  };

  Cursor cursor;       ///< after these rows
  bool whole = false;  ///< nothing was seen, or rows that were are gone: these are all there are
  std::vector<Architecture> architectures;  ///< every one that a row below names
  std::vector<How> hows;
  std::vector<Measured> measurements;
  std::map<std::size_t, std::string> notes;  ///< messages of measurements that have one, by index
  std::vector<By> bys;
  std::vector<Predicted> predictions;
  std::vector<Numbered> evaluations;
  std::vector<TrainingPoint> training;
  std::vector<Generation> generations;  ///< `front` as in Reader::generations()
};

/// A network's latest prediction of a metric beside its latest good measurement.
struct Compared {
  std::string metric;
  std::string predictor;
  double mean = 0;
  double deviation = 0;
  double value = 0;
};

}  // namespace mosaic::db
