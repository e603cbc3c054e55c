[
  inputs: ["{mix,.formatter}.exs", "{config,lib,test,native,benches,scripts}/**/*.{ex,exs}"],
  line_length: 110
]
