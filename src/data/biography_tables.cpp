#include "data/biography_tables.hpp"

#include <array>

#include "muonlab/data/biographies.hpp"

namespace muonlab::data {

namespace {

template <size_t N, size_t M>
std::string join(const std::array<const char*, N>& heads, const std::array<const char*, M>& tails,
                 uint64_t i) {
  return std::string(heads[i / M % N]) + tails[i % M];
}

// No head of a list is another's beginning together with a tail, so that all joins differ (a test
// counts them).
constexpr std::array<const char*, 20> kFirstHeads = {
    "Al",  "Bren", "Cor", "Dar", "El", "Fen", "Gal",  "Har", "Is",  "Jor",
    "Kel", "Lor",  "Mar", "Nor", "Os", "Per", "Quin", "Ros", "Sel", "Tor"};
constexpr std::array<const char*, 20> kFirstTails = {
    "a",   "an",  "ara", "ben", "da",   "den", "dric", "en",  "ia",  "ic",
    "ina", "ion", "la",  "len", "lina", "mon", "na",   "ric", "vin", "wyn"};
constexpr std::array<const char*, 20> kMiddleHeads = {
    "Am",  "Bel", "Cas", "Dom", "Ev",  "Flor", "Gren", "Hel", "Iv",  "Jul",
    "Kat", "Leo", "Mat", "Nat", "Oct", "Phil", "Ren",  "Sam", "Tam", "Vic"};
constexpr std::array<const char*, 20> kMiddleTails = {
    "abel", "alie", "ander", "ane", "ara", "as", "avia", "elia", "ello", "ena",
    "enzo", "erin", "ette",  "ian", "iel", "in", "ira",  "onn",  "or",   "ys"};
constexpr std::array<const char*, 40> kLastHeads = {
    "Ash",  "Bar",  "Birch", "Brad", "Burn",  "Cald", "Chal",  "Clif", "Crom", "Dal",
    "Dray", "East", "Fair",  "Fal",  "Fern",  "Gold", "Green", "Hal",  "Hart", "Haw",
    "Hol",  "Kirk", "Lang",  "Lock", "Long",  "Mer",  "Mil",   "Nor",  "Oak",  "Pem",
    "Rad",  "Red",  "Shel",  "Stan", "Thorn", "Wake", "Wel",   "West", "Win",  "York"};
constexpr std::array<const char*, 25> kLastTails = {
    "berg", "bourne", "bridge", "brook", "burn",  "by",    "combe", "croft", "dale",
    "den",  "field",  "ford",   "gate",  "grave", "hurst", "land",  "ley",   "lock",
    "mont", "more",   "shaw",   "ton",   "ward",  "well",  "wick"};
constexpr std::array<const char*, 20> kCityHeads = {
    "Aber", "Bel",  "Cedar", "Clear", "Eagle", "Fox",    "Glen",   "Iron",  "Lake", "Maple",
    "New",  "Pine", "River", "Rock",  "Salt",  "Silver", "Spring", "Stone", "Sun",  "Wolf"};
constexpr std::array<const char*, 10> kCityTails = {
    " Bay", " City", " Falls", " Grove", " Harbor", "port", "side", "view", "ville", " Heights"};
constexpr std::array<const char*, 20> kUniversityHeads = {
    "Arl",  "Bent", "Car", "Dun", "Ed",   "Farn", "Gil",  "Hamp", "In",  "Ken",
    "Lamb", "Mon",  "New", "Oak", "Prin", "Rich", "Sand", "Tren", "Wal", "Yar"};
constexpr std::array<const char*, 15> kUniversityTails = {
    "bury", "chester", "cliff", "ford",  "ham",   "haven", "holm", "ing",
    "kirk", "minster", "mouth", "stead", "stone", "wood",  "worth"};
constexpr std::array<const char*, 3> kUniversityKinds = {" University", " Institute of Technology",
                                                         " College"};
constexpr std::array<const char*, 30> kCompanyHeads = {
    "Acu",  "Aero", "Alpha", "Atlas", "Axi",  "Bio",   "Blue",   "Core",  "Cyber", "Delta",
    "Dyna", "Eco",  "Exo",   "Flux",  "Geo",  "Helio", "Hydro",  "Inno",  "Luna",  "Meta",
    "Nano", "Neo",  "Omni",  "Opti",  "Orbi", "Pyro",  "Quanta", "Terra", "Ultra", "Vero"};
constexpr std::array<const char*, 10> kCompanyTails = {"bridge", "cast", "dyne", "forge", "gen",
                                                       "grid",   "link", "sys",  "tech",  "works"};
constexpr std::array<const char*, 4> kCompanyKinds = {" Labs", " Systems", " Group", " Industries"};
constexpr std::array<const char*, 10> kMajorHeads = {
    "Applied",    "Comparative", "Computational", "Environmental", "Historical",
    "Industrial", "Medical",     "Modern",        "Quantitative",  "Theoretical"};
constexpr std::array<const char*, 10> kMajorTails = {
    " Biology",     " Chemistry",   " Economics",  " Engineering", " Geography",
    " Linguistics", " Mathematics", " Philosophy", " Physics",     " Psychology"};
constexpr std::array<const char*, 12> kMonths = {"January",   "February", "March",    "April",
                                                 "May",       "June",     "July",     "August",
                                                 "September", "October",  "November", "December"};

constexpr std::array<std::array<const char*, kNumWordings>, kNumAttributes> kWordings = {{
    {"When was {} born?", "What is the birth date of {}?", "On which day was {} born?",
     "What date of birth is recorded for {}?", "Which day is the birthday of {}?",
     "On what date did the life of {} begin?"},
    {"Where was {} born?", "What is the birth city of {}?", "In which city was {} born?",
     "Which city is the birthplace of {}?", "From which city does {} come?",
     "In what place did the life of {} begin?"},
    {"Where did {} study?", "What is the university of {}?", "Which university did {} attend?",
     "From which university did {} graduate?", "Where did {} take a degree?",
     "At which school was {} a student?"},
    {"What did {} study?", "What is the major of {}?", "Which subject did {} choose at university?",
     "In which field did {} take a degree?", "What was the field of study of {}?",
     "Which discipline did {} learn?"},
    {"Whom does {} work for?", "What is the company of {}?", "Which company employs {}?",
     "At which company does {} have a job?", "Who is the employer of {}?",
     "Which firm pays the salary of {}?"},
    {"Where does {} work?", "What is the work city of {}?", "In which city does {} work?",
     "Which city holds the office of {}?", "To which city does {} go for work?",
     "In what place is the job of {}?"},
}};

constexpr std::array<std::array<const char*, kNumWordings>, kNumAttributes> kSentences = {{
    {"{} was born on {fact}.", "The birth date of {} is {fact}.",
     "{} has a birth certificate of {fact}.", "The life of {} began on {fact}.",
     "{} came into the world on {fact}.", "Records give {fact} as the day when {} was born."},
    {"{} was born in {fact}.", "The birth city of {} is {fact}.", "{} comes from {fact}.",
     "The life of {} began in {fact}.", "{fact} is the birthplace of {}.",
     "{} spent the first years of life in {fact}."},
    {"{} studied at {fact}.", "The university of {} is {fact}.", "{} graduated from {fact}.",
     "{fact} was attended by {}.", "{} took a degree at {fact}.",
     "The teachers of {} belonged to {fact}."},
    {"{} studied {fact}.", "The major of {} is {fact}.", "{} took a degree in {fact}.",
     "{fact} was the field of study of {}.", "{} chose the subject {fact}.",
     "The discipline that {} learned is {fact}."},
    {"{} works for {fact}.", "The company of {} is {fact}.", "{} has a job at {fact}.",
     "{fact} employs {}.", "The employer of {} is {fact}.", "{} draws a salary from {fact}."},
    {"{} works in {fact}.", "The work city of {} is {fact}.", "{} goes to work in {fact}.",
     "The office of {} is in {fact}.", "{fact} is where {} has a job.",
     "The job of {} is in {fact}."},
}};

}  // namespace

const std::array<const char*, kNumAttributes> kAttributeNames = {
    "birth date", "birth city", "university", "major", "company", "work city"};

std::string first_name(uint64_t i) { return join(kFirstHeads, kFirstTails, i); }
std::string middle_name(uint64_t i) { return join(kMiddleHeads, kMiddleTails, i); }
std::string last_name(uint64_t i) { return join(kLastHeads, kLastTails, i); }
std::string city(uint64_t i) { return join(kCityHeads, kCityTails, i); }
std::string major(uint64_t i) { return join(kMajorHeads, kMajorTails, i); }
std::string university(uint64_t i) {
  return join(kUniversityHeads, kUniversityTails, i) +
         kUniversityKinds[i % kUniversityKinds.size()];
}
std::string company(uint64_t i) {
  return join(kCompanyHeads, kCompanyTails, i) + kCompanyKinds[i % kCompanyKinds.size()];
}
std::string birth_date(uint64_t i) {
  const uint64_t day = i / 12 % 28 + 1;
  return std::string(kMonths[i % 12]) + (day < 10 ? " 0" : " ") + std::to_string(day) + ", " +
         std::to_string(1900 + i / (12 * 28) % 200);
}

std::string_view question_wording(int attribute, int wording) {
  return kWordings.at(static_cast<size_t>(attribute)).at(static_cast<size_t>(wording));
}

std::string_view sentence_wording(int attribute, int wording) {
  return kSentences.at(static_cast<size_t>(attribute)).at(static_cast<size_t>(wording));
}

}  // namespace muonlab::data
