defmodule FakeNx.MixProject do
  use Mix.Project

  def project, do: [app: :nx, version: "9.9.9", deps: []]
  def application, do: [extra_applications: []]
end
