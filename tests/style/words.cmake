# What must not stand in the tree: unfinished business, places of one machine, documents that are not here.
# -DROOT=<checkout>.

cmake_minimum_required(VERSION 3.25)

set(problems "")
file(GLOB_RECURSE files RELATIVE "${ROOT}" "${ROOT}/vdb/*" "${ROOT}/include/*" "${ROOT}/tools/*" "${ROOT}/examples/*"
     "${ROOT}/bench/*" "${ROOT}/tests/*" "${ROOT}/cmake/*" "${ROOT}/docs/*" "${ROOT}/*.md" "${ROOT}/CMakeLists.txt"
     "${ROOT}/.ci/*" "${ROOT}/python/*" "${ROOT}/pyproject.toml")
list(FILTER files INCLUDE REGEX "(\\.(h|cc|cmake|md|sh|py|awk|txt|in|toml)|/[a-z0-9-]+)$")
list(FILTER files EXCLUDE REGEX "^(build[^/]*|\\.venv|tests/style|examples/data/questions\\.txt)(/|$)")

foreach(file IN LISTS files)
  set(patterns "(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)" "\\.\\./shared|(^|[^a-z.])/(work|home)/"
      "(^|[^A-Za-z])[Ii]ssue #?[0-9]+")
  foreach(pattern IN LISTS patterns)
    file(STRINGS "${ROOT}/${file}" lines REGEX "${pattern}")
    foreach(line IN LISTS lines)
      string(APPEND problems "\n  ${file}: ${line}")
    endforeach()
  endforeach()
  if(file MATCHES "^python/tests/")
    continue()  # these write files of their own
  endif()
  file(STRINGS "${ROOT}/${file}" lines REGEX "[A-Za-z_-]+\\.md")
  foreach(line IN LISTS lines)
    string(REGEX MATCHALL "[A-Za-z_/-]+\\.md" names "${line}")
    foreach(name IN LISTS names)
      get_filename_component(folder "${ROOT}/${file}" DIRECTORY)
      get_filename_component(name "${name}" NAME)
      file(GLOB_RECURSE found "${ROOT}/vdb/${name}" "${ROOT}/docs/${name}" "${ROOT}/examples/${name}" "${ROOT}/bench/${name}")
      if(NOT found AND NOT EXISTS "${ROOT}/${name}" AND NOT EXISTS "${folder}/${name}")
        string(APPEND problems "\n  ${file}: there is no ${name}: ${line}")
      endif()
    endforeach()
  endforeach()
endforeach()

if(problems)
  message(FATAL_ERROR "words:${problems}")
endif()
list(LENGTH files count)
message(STATUS "${count} files")
