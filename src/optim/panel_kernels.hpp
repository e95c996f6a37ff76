// The one product that Newton–Schulz in panel form is made of (panels.hpp), for AVX-512 with bf16.
#pragma once

#include <cstdint>

namespace muonlab::optim {

constexpr int64_t kPanel = 48;  // rows of a matrix in a panel

// What a panel is an array of: for each step along the sum 48 words, one a row. kColumns columns to
// a word.
struct PairWord {  // two bf16, the even column in the low half
  using Number = uint16_t;
  static constexpr int64_t kColumns = 2;
  uint32_t bits;
};
struct FloatWord {
  using Number = float;
  static constexpr int64_t kColumns = 1;
  float value;
};

// C = alpha L Rᵀ + beta D for a panel L and a panel R, with sums over `words` words. C has `rows` x
// `cols` entries, each at most 48, rounded up to multiples of 16 (the rest of the panels is zero).
//   added, by_columns   D and C as part of panels of their columns, kColumns rows to a word; added
//   null: D = 0 by_rows             C as part of panels of its rows, kColumns columns to a word;
//   null: not wanted
template <class Word>
struct PanelProduct {
  const Word* left;
  const Word* right;
  int64_t words;
  int64_t rows, cols;
  float alpha, beta;
  const Word* added;
  Word* by_columns;
  Word* by_rows;
};

// A square of a row-major matrix, from its top left entry: at most 48 x 48, in both forms of panel.
template <class Word>
struct PanelSquare {
  typename Word::Number* numbers;
  int64_t stride;  // from row to row
  int64_t rows, cols;
  Word* by_columns;
  Word* by_rows;
};

bool panel_kernels_built();

void multiply_panels(const PanelProduct<PairWord>& product);
void multiply_panels(const PanelProduct<FloatWord>& product);

// From numbers to both forms, with zeros up to multiples of 16; and back, from by_columns.
void pack_square(const PanelSquare<PairWord>& square);
void pack_square(const PanelSquare<FloatWord>& square);
void unpack_square(const PanelSquare<PairWord>& square);
void unpack_square(const PanelSquare<FloatWord>& square);

}  // namespace muonlab::optim
