module snug

go 1.26
